// Events become samples of a metric.
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <unordered_map>

#include "base/characters.h"
#include "transform/aggregation.h"
#include "transform/condition.h"
#include "transform/log_metric.h"
#include "transform/types.h"
#include "transform/value_reader.h"

namespace logflume {
namespace {

constexpr std::size_t kLabelBytesMax = 256;  // of a label's value
constexpr std::size_t kLabelsMax = 32;
constexpr std::size_t kBucketsMax = 128;
constexpr std::uint64_t kSeriesMost = 100'000;

constexpr const char* kEvents = "events";

struct Measuring {
  std::vector<SharedExpression> labels;  // in the order of the metric's
  SharedExpression value;                // null: 1
  SharedExpression condition;            // null: all events
  std::optional<Aggregating> events;     // none: it makes none
};

// Not through the middle of a character.
std::string_view cut(std::string_view text) {
  if (text.size() <= kLabelBytesMax) return text;
  std::size_t bytes = kLabelBytesMax;
  while (bytes > kLabelBytesMax - 4 && continues_character(text[bytes])) --bytes;
  return text.substr(0, bytes);
}

class LogToMetricStage final : public Stage {
 public:
  LogToMetricStage(const Measuring& measuring, LogMetric& metric, const StageContext& context)
      : metric_(metric) {
    for (const SharedExpression& label : measuring.labels)
      labels_.push_back(std::make_unique<ValueReader>(label, context.host));
    values_.resize(labels_.size());
    if (measuring.value) value_.emplace(measuring.value, context.host);
    if (measuring.condition) condition_.emplace(measuring.condition, context.host);
    if (measuring.events) input_.emplace(*measuring.events, context.host);
    metric_.show_on(context.metrics);
  }

  void run(const Frame& in, std::span<Frame> out, StageReport& report) override {
    out[0].rows = in.rows;
    measured_.clear();
    // What is read again was counted, but who reads it gets events of it.
    if ((in.again && !input_) || in.rows.empty()) return;
    if (condition_) condition_->select(in, counted_, report);
    for (const auto& label : labels_) label->begin(in);
    if (value_) value_->begin(in);
    FaultCounts faults{};
    std::size_t next = 0;
    for (std::size_t i = 0; i < in.rows.size(); ++i) {
      if (condition_) {
        if (next == counted_.size()) break;
        if (counted_[next] != in.rows[i]) continue;
        ++next;
      }
      const std::string_view fault = measure(i, !in.again, faults);
      if (!fault.empty()) report.error(fault, (*in.lines)[in.rows[i]]);
    }
    report.errors_of(faults);
    flush();
  }

  void gather(const Frame& in, Gathering& into, StageReport& report) override {
    StageReport said;  // by run()
    input_->begin(in, said);
    auto& groups = static_cast<Aggregation&>(into);
    for (const std::uint32_t i : measured_) groups.add(*input_, i, in.line(in.rows[i]), report);
  }

  std::size_t memory_bytes() const override {
    std::size_t bytes = (counted_.capacity() + measured_.capacity()) * sizeof(std::uint32_t) +
                        (input_ ? input_->memory_bytes() : 0) +
                        known_.size() * (sizeof(Pending) + 64 + metric_.shape().bounds.size() * 8) +
                        (condition_ ? condition_->memory_bytes() : 0) + (value_ ? value_->memory_bytes() : 0);
    for (const auto& label : labels_) bytes += label->memory_bytes();
    return bytes;
  }

 private:
  struct Pending {
    LogMetric::Series* series = nullptr;
    LogMetric::Observed observed;
    bool touched = false;
  };
  struct KeyHash {
    std::size_t operator()(const XXH128_hash_t& key) const { return key.low64; }
  };
  struct KeyEqual {
    bool operator()(const XXH128_hash_t& a, const XXH128_hash_t& b) const {
      return XXH128_isEqual(a, b) != 0;
    }
  };

  // What is wrong, or nothing.
  std::string_view measure(std::size_t index, bool first_time, FaultCounts& faults) {
    double value = 1;
    if (value_) {
      const Value& computed = (*value_)[index];
      if (computed.is_fault()) {
        ++faults[static_cast<std::size_t>(computed.fault)];
        return {};
      }
      const auto number = number_of(computed);
      if (!number || !std::isfinite(*number)) return to_text(ParseFault::kNumber);
      value = *number;
    }
    const MetricKind kind = metric_.shape().kind;
    if (kind == MetricKind::kCounter && value < 0) return "negative";
    if (input_) measured_.push_back(static_cast<std::uint32_t>(index));
    return first_time ? observe(index, value) : std::string_view();
  }

  std::string_view observe(std::size_t index, double value) {
    const MetricKind kind = metric_.shape().kind;
    Pending* const pending = pending_of(index);
    if (pending == nullptr) return "too_many_series";
    if (!std::exchange(pending->touched, true)) touched_.push_back(pending);
    double& sum = pending->observed.value;
    sum = kind == MetricKind::kGauge ? value : sum + value;
    if (kind != MetricKind::kHistogram) return {};
    const auto& bounds = metric_.shape().bounds;
    const auto bucket = std::ranges::lower_bound(bounds, value) - bounds.begin();
    ++pending->observed.buckets[static_cast<std::size_t>(bucket)];
    return {};
  }

  // Other threads are met once a batch and series.
  void flush() {
    for (Pending* const pending : touched_) {
      pending->series->add(metric_.shape().kind, pending->observed);
      pending->observed.value = 0;
      std::ranges::fill(pending->observed.buckets, 0);
      pending->touched = false;
    }
    touched_.clear();
  }

  Pending* pending_of(std::size_t index) {
    key_.clear();
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      std::string_view text;
      (void)labels_[i]->text(index, text);  // what is not there is empty
      text = cut(text);
      values_[i] = text;
      const std::uint64_t bytes = text.size();
      key_.append(reinterpret_cast<const char*>(&bytes), sizeof bytes);
      key_ += text;
    }
    const XXH128_hash_t key = XXH3_128bits(key_.data(), key_.size());
    const auto known = known_.find(key);
    if (known != known_.end()) return &known->second;
    LogMetric::Series* const series = metric_.find(values_);
    if (series == nullptr) return nullptr;
    // Values may differ in what a page does not show: more than there are series.
    if (known_.size() >= 2 * metric_.shape().series_max) {
      flush();
      known_.clear();
    }
    Pending& made = known_[key];
    made.series = series;
    if (metric_.shape().kind == MetricKind::kHistogram)
      made.observed.buckets.resize(metric_.shape().bounds.size() + 1);
    return &made;
  }

  LogMetric& metric_;
  std::vector<std::unique_ptr<ValueReader>> labels_;
  std::optional<ValueReader> value_;
  std::optional<Condition> condition_;
  std::optional<AggregateInput> input_;
  std::vector<std::uint32_t> counted_;   // rows
  std::vector<std::uint32_t> measured_;  // of the frame's rows, by index: what has a value that counts
  std::vector<std::string> values_;      // of the labels of one event
  std::string key_;
  std::unordered_map<XXH128_hash_t, Pending, KeyHash, KeyEqual> known_;
  std::vector<Pending*> touched_;  // by this batch
};

class LogToMetric final : public Transform {
 public:
  LogToMetric(Measuring measuring, LogMetric::Shape shape)
      : measuring_(std::move(measuring)), metric_(std::move(shape)) {}
  WantedFields needs(const WantedFields& wanted) const override {
    WantedFields needs = wanted;
    for (const SharedExpression& label : measuring_.labels) add_needs(*label, needs);
    if (measuring_.value) add_needs(*measuring_.value, needs);
    if (measuring_.condition) add_needs(*measuring_.condition, needs);
    return needs;
  }
  std::vector<std::string> outputs() const override {
    if (!measuring_.events) return {""};
    return {"", kEvents};
  }
  FieldSchema schema(const FieldSchema& in, std::size_t output) const override {
    if (output == 0) return in;
    FieldSchema made;
    made.open = false;
    made.fields = {
        {"timestamp", ExprType::kTimestamp}, {"source", ExprType::kString}, {"host", ExprType::kString}};
    made.objects = {"labels", "buckets"};
    const auto add = [&](const std::string& name) { made.fields[name] = ExprType::kDyn; };
    for (const Aggregating::By& by : measuring_.events->by) add(by.name);
    for (const Aggregating::Computed& field : measuring_.events->fields) add(field.name);
    return made;
  }
  // Of a gauge the last value counts.
  bool in_order() const override {
    return metric_.shape().kind == MetricKind::kGauge || measuring_.events.has_value();
  }
  std::unique_ptr<Gathering> make_gathering() const override {
    if (!measuring_.events) return nullptr;
    return std::make_unique<Aggregation>(*measuring_.events);
  }
  std::size_t made_output() const override { return measuring_.events ? 1 : 0; }
  bool has_effect() const override { return true; }
  bool keeps_state() const override { return true; }
  std::vector<std::string> metric_names() const override {
    const std::string& name = metric_.shape().name;
    if (metric_.shape().kind != MetricKind::kHistogram) return {name};
    return {name, name + "_bucket", name + "_sum", name + "_count"};
  }
  std::unique_ptr<Stage> make_stage(const StageContext& context) const override {
    return std::make_unique<LogToMetricStage>(measuring_, metric_, context);
  }

 private:
  const Measuring measuring_;
  mutable LogMetric metric_;
};

// -- Configuration ----------------------------------------------------------------------------------------

bool is_name(std::string_view text, std::string_view more) {
  const auto fits = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c) ||
           more.find(c) != std::string_view::npos;
  };
  return !text.empty() && !is_digit(text[0]) && std::ranges::all_of(text, fits);
}

struct LogToMetricConfig : TransformConfig {
  std::string name;
  MetricKind kind = MetricKind::kCounter;
  std::string value;
  std::map<std::string, std::string> labels;
  std::vector<std::string> buckets{"0.005", "0.01", "0.025", "0.05", "0.1", "0.25",
                                   "0.5",   "1",    "2.5",   "5",    "10"};
  std::string condition;
  std::string help = "Of events.";
  std::uint64_t max_series = 1000;
  std::optional<Duration> interval;
  bool operator==(const LogToMetricConfig&) const = default;

  TransformBuilt build(const FieldSchema& in) const {
    LogMetric::Shape shape{name, help, kind, {}, {}, static_cast<std::size_t>(max_series)};
    Measuring measuring;
    if (auto error = check_names()) return std::move(*error);
    if (value.empty() && kind != MetricKind::kCounter)
      return TransformError{"value", SIZE_MAX, "is missing", "only a counter counts 1 without it"};
    if (kind == MetricKind::kHistogram) {
      if (auto error = take_buckets(shape.bounds)) return std::move(*error);
    }
    if (auto error = compile_optional("value", value, in, compile_value, measuring.value))
      return std::move(*error);
    if (auto error = compile_optional("condition", condition, in, compile_condition, measuring.condition))
      return std::move(*error);
    for (const auto& [label, text] : labels) {
      shape.labels.push_back(label);
      if (auto error =
              compile_optional("labels." + label, text, in, compile_value, measuring.labels.emplace_back()))
        return std::move(*error);
    }
    if (interval) {
      if (auto error = take_events(shape, measuring, in)) return std::move(*error);
    }
    return std::make_unique<LogToMetric>(std::move(measuring), std::move(shape));
  }

 private:
  // What the events have that it makes of each interval.
  std::optional<TransformError> take_events(const LogMetric::Shape& shape, Measuring& measuring,
                                            const FieldSchema& in) const {
    constexpr std::size_t kTop = std::string::npos;
    Aggregating events;
    events.window_ns = interval->count();
    events.groups_max = static_cast<std::size_t>(max_series);
    SharedExpression own_name;
    if (auto error = compile_optional("name", '"' + name + '"', in, compile_value, own_name)) return error;
    events.by.push_back({"metric", kTop, std::move(own_name)});
    for (std::size_t i = 0; i < shape.labels.size(); ++i)
      events.by.push_back({"labels." + shape.labels[i], 6, measuring.labels[i]});
    switch (kind) {
      case MetricKind::kCounter:
        events.fields.push_back({"value", kTop,
                                 measuring.value ? AggregateFunction::kSum : AggregateFunction::kCount,
                                 measuring.value});
        break;
      case MetricKind::kGauge:
        events.fields.push_back({"value", kTop, AggregateFunction::kLast, measuring.value});
        break;
      case MetricKind::kHistogram:
        events.fields.push_back({"count", kTop, AggregateFunction::kCount});
        events.fields.push_back({"sum", kTop, AggregateFunction::kSum, measuring.value});
        for (std::size_t i = 0; i < shape.bounds.size(); ++i) {
          events.fields.push_back(
              {"buckets." + buckets[i], 7, AggregateFunction::kAtMost, measuring.value, shape.bounds[i]});
        }
        break;
    }
    measuring.events = std::move(events);
    return {};
  }

  std::optional<TransformError> check_names() const {
    if (!is_name(name, ":"))
      return TransformError{"name", SIZE_MAX, fmt::format("\"{}\" is no name of a metric", name),
                            "letters, digits, \"_\" and \":\", no digit first"};
    for (const std::string_view ours : {"logflume_", "process_"}) {
      if (name.starts_with(ours))
        return TransformError{"name", SIZE_MAX, fmt::format("names with {} are the agent's own", ours), {}};
    }
    if (labels.size() > kLabelsMax)
      return TransformError{"labels", SIZE_MAX, fmt::format("are more than {}", kLabelsMax), {}};
    for (const auto& [label, text] : labels) {
      const bool taken = label.starts_with("__") || (kind == MetricKind::kHistogram && label == "le");
      if (taken || !is_name(label, ""))
        return TransformError{
            "labels." + label, SIZE_MAX, fmt::format("\"{}\" cannot be a label", label),
            "letters, digits and \"_\", no digit and not __ first; le is a histogram's own"};
    }
    return {};
  }

  std::optional<TransformError> take_buckets(std::vector<double>& bounds) const {
    for (const std::string& text : buckets) {
      double bound = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bound);
      if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(bound))
        return TransformError{"buckets", SIZE_MAX, fmt::format("\"{}\" is no number", text), {}};
      if (!bounds.empty() && bound <= bounds.back())
        return TransformError{
            "buckets", SIZE_MAX, fmt::format("{} is not above the one before it", text), {}};
      bounds.push_back(bound);
    }
    if (bounds.size() > kBucketsMax)
      return TransformError{"buckets", SIZE_MAX, fmt::format("are more than {}", kBucketsMax), {}};
    return {};
  }
};

}  // namespace

TransformType log_to_metric_transform() {
  Describe<LogToMetricConfig> metric(
      "Events become a metric on `/metrics`; they themselves pass unchanged, and need not go anywhere: it "
      "counts what the sources give to any sink. An event counts once, whoever reads it again. The metric "
      "begins anew with the agent, not with a reload that leaves it as it is.");
  metric.field("name", &LogToMetricConfig::name, "The name of the metric.")
      .required()
      .example_is("http_requests_total");
  metric.choice("kind", &LogToMetricConfig::kind,
                {{"counter", MetricKind::kCounter},
                 {"gauge", MetricKind::kGauge},
                 {"histogram", MetricKind::kHistogram}},
                "What it is: a sum of values, the last value, or how values are distributed.");
  metric
      .field("value", &LogToMetricConfig::value,
             "An expression (docs/expressions.md) that gives a number, or a text that is one; times count in "
             "seconds. What is none is counted as an error, and so is what is negative and should be added "
             "to a counter.")
      .absent_is("1, for a counter")
      .example_is("request_time");
  metric
      .field("labels", &LogToMetricConfig::labels,
             "Expressions by the name of the label: each combination of their values is a series. What is "
             "not there is empty; of a long value the first 256 bytes count.")
      .must(must_not_be_empty, "an expression")
      .example_is("{method: method, status: 'string(status)'}");
  metric
      .field("buckets", &LogToMetricConfig::buckets,
             "The upper bounds of a histogram's buckets, upwards; the last one, without a bound, is added.")
      .example_is("[0.1, 0.5, 1]");
  metric.field("condition", &LogToMetricConfig::condition, "Which events count, as an expression.")
      .absent_is("all")
      .example_is("status >= 500");
  metric.field("help", &LogToMetricConfig::help, "What it is, for people.");
  metric
      .field("max_series", &LogToMetricConfig::max_series,
             "Series that it may have. Events that would make another one are not counted in it, but as the "
             "error `too_many_series`.")
      .at_least(1)
      .at_most(kSeriesMost);
  metric
      .field("interval", &LogToMetricConfig::interval,
             "Makes events of it too, which come out of `NAME.events`: after each interval one for each "
             "series that "
             "something was counted in, with `timestamp`, the begin of the interval, `metric`, `labels` and "
             "`value`, "
             "what was added in the interval, of a gauge the last value; of a histogram `count`, `sum` and "
             "`buckets`, "
             "how many were not above each bound. Otherwise they are as those of `aggregate`.")
      .absent_is("no events")
      .at_least(10ms)
      .at_most(std::chrono::hours(24 * 365))
      .example_is("60s");
  return transform_type("log_to_metric", std::move(metric));
}

}  // namespace logflume
