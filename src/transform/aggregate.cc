// Groups of events become one event each, for each window of time.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "transform/aggregation.h"
#include "transform/recent_keys.h"
#include "transform/types.h"

namespace logflume {
namespace {

constexpr std::uint64_t kGroupsMost = 100'000;
constexpr std::uint64_t kValuesMost = 10'000'000;
constexpr std::size_t kFieldsMax = 64;

class AggregateStage final : public Stage {
 public:
  AggregateStage(const Aggregating& what, const std::string& host) : input_(what, host) {}
  void run(const Frame& in, std::span<Frame> /*out*/, StageReport& report) override {
    report.discarded = in.rows.size();
    if (!in.rows.empty()) input_.begin(in, report);
  }
  void gather(const Frame& in, Gathering& into, StageReport& report) override {
    auto& groups = static_cast<Aggregation&>(into);
    for (std::size_t i = 0; i < in.rows.size(); ++i) groups.add(input_, i, in.line(in.rows[i]), report);
  }
  std::size_t memory_bytes() const override { return input_.memory_bytes(); }

 private:
  AggregateInput input_;
};

class Aggregate final : public Transform {
 public:
  Aggregate(Aggregating what, FieldSchema schema) : what_(std::move(what)), schema_(std::move(schema)) {}
  WantedFields needs(const WantedFields& /*wanted*/) const override {
    WantedFields needs;
    needs.all = false;
    for (const Aggregating::By& by : what_.by) add_needs(*by.value, needs);
    for (const Aggregating::Computed& field : what_.fields) {
      if (field.value) add_needs(*field.value, needs);
    }
    if (what_.time) add_needs(*what_.time, needs);
    return needs;
  }
  FieldSchema schema(const FieldSchema& /*in*/, std::size_t /*output*/) const override { return schema_; }
  std::vector<std::string> writes() const override {
    std::vector<std::string> names{"timestamp"};
    for (const Aggregating::By& by : what_.by) names.push_back(by.name);
    for (const Aggregating::Computed& field : what_.fields) names.push_back(field.name);
    return names;
  }
  bool in_order() const override { return true; }
  bool keeps_state() const override { return true; }
  std::unique_ptr<Stage> make_stage(const StageContext& context) const override {
    return std::make_unique<AggregateStage>(what_, context.host);
  }
  std::unique_ptr<Gathering> make_gathering() const override { return std::make_unique<Aggregation>(what_); }

 private:
  const Aggregating what_;
  const FieldSchema schema_;
};

// -- Configuration ----------------------------------------------------------------------------------------

struct FunctionName {
  std::string_view name;
  AggregateFunction function;
};
constexpr std::array<FunctionName, 8> kFunctions{{{"count", AggregateFunction::kCount},
                                                  {"sum", AggregateFunction::kSum},
                                                  {"min", AggregateFunction::kMin},
                                                  {"max", AggregateFunction::kMax},
                                                  {"avg", AggregateFunction::kAvg},
                                                  {"first", AggregateFunction::kFirst},
                                                  {"last", AggregateFunction::kLast},
                                                  {"distinct", AggregateFunction::kDistinct}}};

struct AggregateConfig : TransformConfig {
  std::vector<std::string> by;
  std::map<std::string, std::string> fields;
  Duration window = std::chrono::minutes(1);
  TimeBase time = TimeBase::kRead;
  Duration grace = 5s;
  std::uint64_t max_groups = kKeysDefault;
  std::uint64_t max_values = 100'000;
  bool operator==(const AggregateConfig&) const = default;

  TransformBuilt build(const FieldSchema& in) const {
    Aggregating what;
    what.window_ns = window.count();
    what.grace_ns = grace.count();
    what.groups_max = static_cast<std::size_t>(max_groups);
    what.values_max = static_cast<std::size_t>(max_values);
    if (auto error = compile_event_time(time, in, what.time)) return std::move(*error);
    FieldSchema out;
    out.open = false;
    out.fields = {
        {"timestamp", ExprType::kTimestamp}, {"source", ExprType::kString}, {"host", ExprType::kString}};
    if (fields.size() + by.size() > kFieldsMax)
      return TransformError{
          "fields", SIZE_MAX, fmt::format("with `by` these are more than {}", kFieldsMax), {}};
    std::set<std::string> names{"timestamp"};
    for (const std::string& name : by) {
      if (!names.insert(name).second)
        return TransformError{"by", SIZE_MAX, fmt::format("\"{}\" is there already", name), kTimestampHint};
      auto compiled = compile_field("by", name, in);
      if (auto* const error = std::get_if<TransformError>(&compiled)) return std::move(*error);
      auto& field = std::get<SharedExpression>(compiled);
      out.fields.insert_or_assign(name, field->type());
      const std::size_t dot = name.find('.');
      if (dot != std::string::npos) out.objects.insert(name.substr(0, dot));
      what.by.push_back({name, dot, std::move(field)});
    }
    // Those of one object one behind the other.
    std::ranges::stable_sort(what.by, {}, [](const Aggregating::By& one) {
      return one.dot == std::string::npos ? std::string() : one.name.substr(0, one.dot);
    });
    for (const auto& [name, text] : fields) {
      const std::string key = "fields." + name;
      if (!names.insert(name).second)
        return TransformError{key, SIZE_MAX, fmt::format("\"{}\" is there already", name), kTimestampHint};
      Aggregating::Computed computed{name, std::string::npos, AggregateFunction::kCount};
      if (auto error = compile_function(key, text, in, computed)) return std::move(*error);
      out.fields.insert_or_assign(name, type_of(computed));
      what.fields.push_back(std::move(computed));
    }
    for (const std::string& object : out.objects) {
      if (names.contains(object))
        return TransformError{
            "by", SIZE_MAX, fmt::format("\"{}\" cannot be a field and have keys", object), {}};
    }
    return std::make_unique<Aggregate>(std::move(what), std::move(out));
  }

 private:
  static constexpr const char* kTimestampHint = "each field once; `timestamp` is the begin of the window";

  // "count", "sum(bytes)".
  static std::optional<TransformError> compile_function(const std::string& key, const std::string& text,
                                                        const FieldSchema& in, Aggregating::Computed& into) {
    const std::size_t open = text.find('(');
    const std::string_view name = std::string_view(text).substr(0, std::min(open, text.size()));
    const auto known = std::ranges::find(kFunctions, name, &FunctionName::name);
    if (known == kFunctions.end())
      return TransformError{key, 0, fmt::format("there is no function \"{}\"", name),
                            "count, sum, min, max, avg, first, last or distinct, as in sum(bytes)"};
    into.function = known->function;
    if (open == std::string::npos) {
      if (into.function == AggregateFunction::kCount) return {};
      return TransformError{key, text.size(), fmt::format("{} of what?", name),
                            fmt::format("an expression in brackets, as in {}(bytes)", name)};
    }
    if (text.back() != ')')
      return TransformError{key, text.size(), "there is no \")\" at the end", "FUNCTION(EXPRESSION)"};
    const std::string inner = text.substr(open + 1, text.size() - open - 2);
    auto compiled = into.function == AggregateFunction::kCount ? compile_condition(key, inner, in)
                                                               : compile_value(key, inner, in);
    if (auto* const error = std::get_if<TransformError>(&compiled)) {
      if (error->at != SIZE_MAX) error->at += open + 1;
      return std::move(*error);
    }
    into.value = std::get<SharedExpression>(std::move(compiled));
    return {};
  }
  static ExprType type_of(const Aggregating::Computed& computed) {
    switch (computed.function) {
      case AggregateFunction::kCount:
      case AggregateFunction::kDistinct:
      case AggregateFunction::kAtMost:
        return ExprType::kInt;
      case AggregateFunction::kAvg:
        return ExprType::kDouble;
      case AggregateFunction::kSum:
        return ExprType::kDyn;
      case AggregateFunction::kMin:
      case AggregateFunction::kMax:
      case AggregateFunction::kFirst:
      case AggregateFunction::kLast:
        break;
    }
    return computed.value->type();
  }
};

}  // namespace

TransformType aggregate_transform() {
  Describe<AggregateConfig> aggregate(
      "Groups of events become one event each, for each window of time. What comes out are events of their "
      "own, with the fields of `by` and `fields`, `timestamp`, which is the begin of the window, `source` "
      "and "
      "`host`; their line, which `raw` writes, is the fields as JSON. What went in is discarded, and counted "
      "as "
      "that. Each source is counted by itself. An event is made when its window is over, also while nothing "
      "is "
      "read, and of what is there when the agent stops or a reload changes this transform. Sinks that read "
      "again get events of what they read. What went in is acknowledged when it was counted: a crash loses "
      "what was counted in open windows.");
  aggregate
      .field(
          "by", &AggregateConfig::by,
          "Fields: events with the same values are a group. A key of an object stands behind a dot. That a "
          "field is not there is a value, too. Of a long text the first 1,024 bytes are kept.")
      .absent_is("all events are one group")
      .must(must_not_be_empty, "the name of a field")
      .example_is("[method, status]");
  aggregate
      .field(
          "fields", &AggregateConfig::fields,
          "What is computed, by the field that it becomes: `count`, all events; `count(EXPRESSION)`, those "
          "for which it is true; `sum`, `min`, `max` and `avg` of numbers, where a text that is a number "
          "counts too, and a length of time in seconds; `first` and `last`; `distinct`, how many different "
          "values there are. Null counts as nothing; what is no number, or cannot be computed, is counted as "
          "an error. Without any value a sum is 0, and `min`, `max`, `avg`, `first` and `last` are not "
          "there. "
          "Expressions: docs/expressions.md.")
      .required()
      .must(must_not_be_empty, "a function of an expression")
      .example_is("{requests: count, bytes: 'sum(body_bytes_sent)', slowest: 'max(request_time)'}");
  aggregate
      .field("window", &AggregateConfig::window, "Its length. Windows begin at multiples of it since 1970.")
      .at_least(10ms)
      .at_most(std::chrono::hours(24 * 365));
  aggregate.choice("time", &AggregateConfig::time, {{"read", TimeBase::kRead}, {"event", TimeBase::kEvent}},
                   "Whether an event counts in the window in which it was read, or in that of its field "
                   "`timestamp`, where it has one.");
  aggregate
      .field("grace", &AggregateConfig::grace,
             "With `time: event`: a window is over when it has ended, and then no event has come for it for "
             "so long. "
             "One that comes later is counted as the error `late`, and in another event for the same window.")
      .at_least(100ms)
      .at_most(std::chrono::hours(24));
  aggregate
      .field("max_groups", &AggregateConfig::max_groups,
             "Groups that may be open. For one more, another window, the oldest one, is over early; where "
             "there is "
             "none, the event is not counted in any group, but as the error `too_many_groups`.")
      .at_least(1)
      .at_most(kGroupsMost);
  aggregate
      .field("max_values", &AggregateConfig::max_values,
             "Values that `distinct` may keep in mind, all groups together, as hashes of 64 bits. One more "
             "is counted "
             "as the error `too_many_values` instead.")
      .at_least(1)
      .at_most(kValuesMost);
  return transform_type("aggregate", std::move(aggregate));
}

}  // namespace logflume
