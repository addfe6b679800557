#include "telemetry/metrics.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>
#include <variant>

#include "telemetry/json_text.h"

namespace logflume {
namespace {

enum class Kind { kCounter, kGauge, kHistogram };

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::kCounter:
      return "counter";
    case Kind::kGauge:
      return "gauge";
    case Kind::kHistogram:
      return "histogram";
  }
  return "untyped";
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

void append_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value).ptr;
    out.append(text, end);
  }
}

void append_number(std::string& out, std::uint64_t value) { out += std::to_string(value); }

// `{a="b",c="d"}` without the braces, by name: equal labels give equal text whatever their order.
std::string label_text(Labels labels) {
  std::sort(labels.begin(), labels.end());
  std::string text;
  for (const auto& [name, value] : labels) {
    if (!text.empty()) text += ',';
    text += name;
    text += "=\"";
    append_escaped(text, valid_utf8(value), true);
    text += '"';
  }
  return text;
}

void append_sample_name(std::string& out, std::string_view name, std::string_view labels,
                        std::string_view extra_label = {}) {
  out += name;
  if (!labels.empty() || !extra_label.empty()) {
    out += '{';
    out += labels;
    if (!labels.empty() && !extra_label.empty()) out += ',';
    out += extra_label;
    out += '}';
  }
  out += ' ';
}

void append_header(std::string& out, std::string_view name, std::string_view help, Kind kind) {
  out += "# HELP ";
  out += name;
  out += ' ';
  append_escaped(out, valid_utf8(help), false);
  out += "\n# TYPE ";
  out += name;
  out += ' ';
  out += to_string(kind);
  out += '\n';
}

template <typename Metric>
using ByLabels = std::map<std::string, std::unique_ptr<Metric>>;

struct Family {
  std::string help;
  std::variant<ByLabels<Counter>, ByLabels<Gauge>, ByLabels<Histogram>> metrics;
};

void append(std::string& out, std::string_view name, std::string_view labels, const Counter& counter) {
  append_sample_name(out, name, labels);
  append_number(out, counter.value());
  out += '\n';
}

void append(std::string& out, std::string_view name, std::string_view labels, const Gauge& gauge) {
  append_sample_name(out, name, labels);
  append_number(out, gauge.value());
  out += '\n';
}

template <typename Count>
void append_histogram(std::string& out, std::string_view name, std::string_view labels,
                      std::span<const double> bounds, const Count& count, double sum) {
  const std::string family(name);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i <= bounds.size(); ++i) {
    total += count(i);
    std::string le = "le=\"";
    append_number(le, i < bounds.size() ? bounds[i] : HUGE_VAL);
    le += '"';
    append_sample_name(out, family + "_bucket", labels, le);
    append_number(out, total);
    out += '\n';
  }
  append_sample_name(out, family + "_sum", labels);
  append_number(out, sum);
  out += '\n';
  // The same total as the last bucket, which the format demands, though observations go on meanwhile.
  append_sample_name(out, family + "_count", labels);
  append_number(out, total);
  out += '\n';
}

void append(std::string& out, std::string_view name, std::string_view labels, const Histogram& histogram) {
  append_histogram(
      out, name, labels, histogram.upper_bounds(), [&](std::size_t i) { return histogram.bucket(i); },
      histogram.sum());
}

// Samples of the collectors, sorted into families.
class CollectedPage : public MetricPage {
 public:
  struct Distribution {
    std::vector<double> bounds;
    std::vector<std::uint64_t> counts;
    double sum;
  };
  using Sample = std::variant<double, Distribution>;
  struct CollectedFamily {
    std::string help;
    Kind kind;
    std::map<std::string, Sample> samples;
  };

  void gauge(std::string_view name, std::string_view help, const Labels& labels, double value) override {
    add(name, help, Kind::kGauge, labels, value);
  }
  void counter(std::string_view name, std::string_view help, const Labels& labels, double value) override {
    add(name, help, Kind::kCounter, labels, value);
  }
  void histogram(std::string_view name, std::string_view help, const Labels& labels,
                 std::span<const double> upper_bounds, std::span<const std::uint64_t> counts,
                 double sum) override {
    add(name, help, Kind::kHistogram, labels,
        Distribution{{upper_bounds.begin(), upper_bounds.end()}, {counts.begin(), counts.end()}, sum});
  }
  const std::map<std::string, CollectedFamily, std::less<>>& families() const { return families_; }

 private:
  // Of a kind that others of its name are not of it is left out: the format has no room for it.
  void add(std::string_view name, std::string_view help, Kind kind, const Labels& labels, Sample value) {
    auto family = families_.find(name);
    if (family == families_.end()) {
      family = families_.emplace(std::string(name), CollectedFamily{std::string(help), kind, {}}).first;
    }
    if (family->second.kind == kind)
      family->second.samples.insert_or_assign(label_text(labels), std::move(value));
  }

  std::map<std::string, CollectedFamily, std::less<>> families_;
};

}  // namespace

Histogram::Histogram(std::vector<double> upper_bounds)
    : bounds_(std::move(upper_bounds)),
      buckets_(std::make_unique<std::atomic<std::uint64_t>[]>(bounds_.size() + 1)) {
  assert(std::is_sorted(bounds_.begin(), bounds_.end()));
}

void Histogram::observe(double value, std::uint64_t count) {
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  buckets_[static_cast<std::size_t>(bound - bounds_.begin())].fetch_add(count, std::memory_order_relaxed);
  sum_.fetch_add(value * static_cast<double>(count), std::memory_order_relaxed);
}

std::uint64_t Histogram::bucket(std::size_t index) const {
  return buckets_[index].load(std::memory_order_relaxed);
}

class MetricRegistry::Collector {
 public:
  explicit Collector(std::function<void(MetricPage&)> collect) : collect_(std::move(collect)) {}
  std::function<void(MetricPage&)> collect_;
};

struct MetricRegistry::Impl {
  mutable std::mutex mutex;
  std::map<std::string, Family, std::less<>> families;
  // Shared with the handles, which may outlive the registry.
  struct Collectors {
    std::mutex mutex;
    std::vector<Collector*> all;
  };
  std::shared_ptr<Collectors> collectors = std::make_shared<Collectors>();

  template <typename Metric, typename... Args>
  Metric& find_or_create(std::string_view name, std::string_view help, const Labels& labels, Args&&... args) {
    const std::lock_guard lock(mutex);
    auto family = families.find(name);
    if (family == families.end()) {
      family = families.emplace(std::string(name), Family{std::string(help), ByLabels<Metric>{}}).first;
    }
    auto* metrics = std::get_if<ByLabels<Metric>>(&family->second.metrics);
    assert(metrics != nullptr && "one name is always of one kind");
    auto& metric = (*metrics)[label_text(labels)];
    if (!metric) metric = std::make_unique<Metric>(std::forward<Args>(args)...);
    return *metric;
  }
};

MetricRegistry::MetricRegistry() : impl_(std::make_unique<Impl>()) {}
MetricRegistry::~MetricRegistry() = default;

Counter& MetricRegistry::counter(std::string_view name, std::string_view help, const Labels& labels) {
  return impl_->find_or_create<Counter>(name, help, labels);
}

Gauge& MetricRegistry::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  return impl_->find_or_create<Gauge>(name, help, labels);
}

Histogram& MetricRegistry::histogram(std::string_view name, std::string_view help,
                                     std::vector<double> upper_bounds, const Labels& labels) {
  return impl_->find_or_create<Histogram>(name, help, labels, std::move(upper_bounds));
}

std::shared_ptr<MetricRegistry::Collector> MetricRegistry::collect(std::function<void(MetricPage&)> collect) {
  const auto collectors = impl_->collectors;
  const auto forget = [collectors](Collector* collector) {
    {
      const std::lock_guard lock(collectors->mutex);
      std::erase(collectors->all, collector);
    }
    delete collector;
  };
  std::shared_ptr<Collector> handle(new Collector(std::move(collect)), forget);
  const std::lock_guard lock(collectors->mutex);
  collectors->all.push_back(handle.get());
  return handle;
}

std::string MetricRegistry::text() const {
  CollectedPage collected;
  {
    const std::lock_guard lock(impl_->collectors->mutex);
    for (Collector* collector : impl_->collectors->all) collector->collect_(collected);
  }

  const std::lock_guard lock(impl_->mutex);
  std::string out;
  const auto append_collected = [&](const std::string& name, const auto& samples) {
    for (const auto& [labels, sample] : samples) {
      if (const auto* const value = std::get_if<double>(&sample)) {
        append_sample_name(out, name, labels);
        append_number(out, *value);
        out += '\n';
      } else {
        const auto& all = std::get<CollectedPage::Distribution>(sample);
        append_histogram(
            out, name, labels, all.bounds, [&](std::size_t i) { return all.counts[i]; }, all.sum);
      }
    }
  };
  auto extra = collected.families().begin();
  const auto append_extra_before = [&](const std::string* name) {
    for (; extra != collected.families().end() && (name == nullptr || extra->first < *name); ++extra) {
      append_header(out, extra->first, extra->second.help, extra->second.kind);
      append_collected(extra->first, extra->second.samples);
    }
  };
  for (const auto& [name, family] : impl_->families) {
    append_extra_before(&name);
    append_header(out, name, family.help, static_cast<Kind>(family.metrics.index()));
    std::visit(
        [&](const auto& metrics) {
          for (const auto& [labels, metric] : metrics) append(out, name, labels, *metric);
        },
        family.metrics);
    if (extra != collected.families().end() && extra->first == name) {
      // One family from both: samples of the registry win over computed ones with the same labels.
      auto samples = extra->second.samples;
      std::visit(
          [&](const auto& metrics) {
            std::erase_if(samples, [&](const auto& sample) { return metrics.contains(sample.first); });
          },
          family.metrics);
      append_collected(name, samples);
      ++extra;
    }
  }
  append_extra_before(nullptr);
  return out;
}

ComponentMetrics::ComponentMetrics(MetricRegistry& metric_registry, std::string component_name)
    : registry(metric_registry),
      component(std::move(component_name)),
      received_events(registry.counter("logflume_component_received_events_total",
                                       "Events that a component took in.", {{"component", component}})),
      received_bytes(registry.counter("logflume_component_received_bytes_total",
                                      "Bytes of events that a component took in, newlines counted.",
                                      {{"component", component}})),
      sent_events(registry.counter("logflume_component_sent_events_total",
                                   "Events that a component passed on or delivered.",
                                   {{"component", component}})),
      sent_bytes(registry.counter("logflume_component_sent_bytes_total",
                                  "Bytes that a component passed on or delivered, before compression.",
                                  {{"component", component}})) {
  // There from the start, so that a sum over the reasons is 0 and not nothing.
  registry.counter("logflume_component_discarded_events_total", "Events that were not delivered, by reason.",
                   {{"component", component}});
}

void ComponentMetrics::discarded(std::string_view reason, std::uint64_t events) {
  registry
      .counter("logflume_component_discarded_events_total", "Events that were not delivered, by reason.",
               {{"component", component}, {"reason", std::string(reason)}})
      .add(events);
}

void ComponentMetrics::created(std::uint64_t events) {
  registry
      .counter("logflume_component_created_events_total",
               "Events that came out of a transform beyond those that came in.", {{"component", component}})
      .add(events);
}

void ComponentMetrics::error(std::string_view reason, std::uint64_t count) {
  registry
      .counter("logflume_component_errors_total", "Errors of a component, by reason.",
               {{"component", component}, {"reason", std::string(reason)}})
      .add(count);
}

Counter& ComponentMetrics::retries() {
  return registry.counter("logflume_component_retries_total",
                          "Requests, connections, writes or Kafka messages that were tried again.",
                          {{"component", component}});
}

}  // namespace logflume
