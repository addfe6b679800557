// What the agent counts, and its Prometheus text.
//
// Threads: a metric may be added to from any thread without a lock. The registry locks only to create a
// metric and to print the page. A metric lives as long as its registry, so that counters survive a reload:
// asking again for the same name and labels gives the same object.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace logflume {

using Labels = std::vector<std::pair<std::string, std::string>>;

class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// Cumulative histogram over fixed upper bounds, in the unit of its name (seconds).
class Histogram {
 public:
  explicit Histogram(std::vector<double> upper_bounds);
  // `count` observations of `value`.
  void observe(double value, std::uint64_t count = 1);

  std::span<const double> upper_bounds() const { return bounds_; }
  std::uint64_t bucket(std::size_t index) const;  // not cumulative; index == bounds.size() is +Inf
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::vector<double> bounds_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> buckets_;
  std::atomic<double> sum_{0};
};

// Receives samples computed when the page is asked for.
class MetricPage {
 public:
  virtual ~MetricPage() = default;
  virtual void gauge(std::string_view name, std::string_view help, const Labels& labels, double value) = 0;
  virtual void counter(std::string_view name, std::string_view help, const Labels& labels, double value) = 0;
  // `counts`: observations by upper bound, not cumulative, and one more for those above all bounds.
  virtual void histogram(std::string_view name, std::string_view help, const Labels& labels,
                         std::span<const double> upper_bounds, std::span<const std::uint64_t> counts,
                         double sum) = 0;
};

class MetricRegistry {
 public:
  MetricRegistry();
  ~MetricRegistry();
  MetricRegistry(const MetricRegistry&) = delete;
  MetricRegistry& operator=(const MetricRegistry&) = delete;

  // `name` in full ("logflume_component_sent_events_total"). `help` of the first call counts.
  // REQUIRES: one name is always of one kind.
  Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, std::vector<double> upper_bounds,
                       const Labels& labels = {});

  // `collect` runs, under a lock, each time the page is printed, until the handle is destroyed; after that
  // it is not running and never runs again.
  class Collector;
  std::shared_ptr<Collector> collect(std::function<void(MetricPage&)> collect);

  // Prometheus text format 0.0.4: HELP, TYPE, samples; label values escaped.
  std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The counters that every component has, by the names of the contract, label component=NAME.
struct ComponentMetrics {
  ComponentMetrics(MetricRegistry& registry, std::string component);

  void discarded(std::string_view reason, std::uint64_t events);
  // Of transforms: events beyond those that came in, as where one goes several ways.
  void created(std::uint64_t events);
  void error(std::string_view reason, std::uint64_t count = 1);
  // Of those components that try again; to be kept by the caller.
  Counter& retries();

  MetricRegistry& registry;
  std::string component;
  Counter& received_events;
  Counter& received_bytes;  // newlines counted
  Counter& sent_events;
  Counter& sent_bytes;
};

}  // namespace logflume
