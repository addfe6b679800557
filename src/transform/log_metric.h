// A metric that is made of events, with its series.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "telemetry/metrics.h"

namespace logflume {

enum class MetricKind { kCounter, kGauge, kHistogram };

// Threads:   any.
// Invariant: a series never goes; there are at most `series_max`.
class LogMetric {
 public:
  struct Shape {
    std::string name;
    std::string help;
    MetricKind kind = MetricKind::kCounter;
    std::vector<std::string> labels;
    std::vector<double> bounds;  // upper ones, of a histogram's buckets
    std::size_t series_max = 1;
  };
  // What was observed of one series, perhaps many times.
  struct Observed {
    double value = 0;                      // the sum; of a gauge the last
    std::vector<std::uint64_t> buckets{};  // of a histogram; not cumulative, and one above all bounds
  };

  class Series {
   public:
    void add(MetricKind kind, const Observed& observed);

   private:
    friend class LogMetric;
    Labels labels_;
    std::atomic<double> value_{0};
    std::unique_ptr<std::atomic<std::uint64_t>[]> buckets_;
  };

  explicit LogMetric(Shape shape);
  const Shape& shape() const { return shape_; }
  // The series with these values of the labels, made if there is room for it; else null.
  Series* find(std::span<const std::string> values);
  // From now on it is on the page, as long as it stands.
  void show_on(MetricRegistry& registry);

 private:
  void show(MetricPage& page) const;

  const Shape shape_;
  mutable std::mutex mutex_;
  std::map<std::vector<std::string>, std::unique_ptr<Series>> series_;  // by values; guarded by mutex_
  std::once_flag shown_;
  std::shared_ptr<MetricRegistry::Collector> collector_;
};

}  // namespace logflume
