#include "transform/log_metric.h"

#include "telemetry/json_text.h"

namespace logflume {

LogMetric::LogMetric(Shape shape) : shape_(std::move(shape)) {
  // 0 is something else than nothing. What a gauge has is not known.
  if (shape_.labels.empty() && shape_.kind != MetricKind::kGauge) (void)find({});
}

void LogMetric::Series::add(MetricKind kind, const Observed& observed) {
  if (kind == MetricKind::kGauge) return value_.store(observed.value, std::memory_order_relaxed);
  value_.fetch_add(observed.value, std::memory_order_relaxed);
  for (std::size_t i = 0; i < observed.buckets.size(); ++i) {
    if (observed.buckets[i] > 0) buckets_[i].fetch_add(observed.buckets[i], std::memory_order_relaxed);
  }
}

LogMetric::Series* LogMetric::find(std::span<const std::string> values) {
  // As the page shows them: what looks the same there is the same.
  std::vector<std::string> shown;
  for (const std::string& value : values) shown.push_back(valid_utf8(value));
  const std::lock_guard lock(mutex_);
  const auto known = series_.find(shown);
  if (known != series_.end()) return known->second.get();
  if (series_.size() == shape_.series_max) return nullptr;
  auto made = std::make_unique<Series>();
  for (std::size_t i = 0; i < shown.size(); ++i) made->labels_.emplace_back(shape_.labels[i], shown[i]);
  if (shape_.kind == MetricKind::kHistogram)
    made->buckets_ = std::make_unique<std::atomic<std::uint64_t>[]>(shape_.bounds.size() + 1);
  return series_.emplace(std::move(shown), std::move(made)).first->second.get();
}

void LogMetric::show_on(MetricRegistry& registry) {
  std::call_once(shown_, [&] { collector_ = registry.collect([this](MetricPage& page) { show(page); }); });
}

void LogMetric::show(MetricPage& page) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [values, series] : series_) {
    const double value = series->value_.load(std::memory_order_relaxed);
    switch (shape_.kind) {
      case MetricKind::kCounter:
        page.counter(shape_.name, shape_.help, series->labels_, value);
        break;
      case MetricKind::kGauge:
        page.gauge(shape_.name, shape_.help, series->labels_, value);
        break;
      case MetricKind::kHistogram: {
        std::vector<std::uint64_t> counts;
        for (std::size_t i = 0; i <= shape_.bounds.size(); ++i)
          counts.push_back(series->buckets_[i].load(std::memory_order_relaxed));
        page.histogram(shape_.name, shape_.help, series->labels_, shape_.bounds, counts, value);
        break;
      }
    }
  }
}

}  // namespace logflume
