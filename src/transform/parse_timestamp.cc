// A text becomes the time of its event.
#include <fmt/format.h>

#include <array>
#include <charconv>

#include "base/civil_time.h"
#include "parse/time_format.h"
#include "transform/condition.h"
#include "transform/types.h"
#include "transform/value_reader.h"

namespace logflume {
namespace {

struct TimeParsing {
  SharedExpression field;
  std::vector<TimeFormat> formats;
  std::string target;
  bool drops = false;  // an event whose time cannot be told
};

class ParseTimestampStage final : public Stage {
 public:
  ParseTimestampStage(const TimeParsing& parsing, const std::string& host)
      : parsing_(parsing), field_(parsing.field, host) {}

  void run(const Frame& in, std::span<Frame> out, StageReport& report) override {
    Frame& frame = out[0];
    times_.begin(in.batch->text(), in.lines->size());
    field_.begin(in);
    Column& times = times_.at(times_.index_of(parsing_.target));
    for (std::size_t i = 0; i < in.rows.size(); ++i) {
      const std::uint32_t row = in.rows[i];
      std::int64_t ns = 0;
      const std::string_view fault = time_of(field_[i], in.batch->wall_ns, ns);
      if (fault.empty()) {
        times.add(row, ValueKind::kTimestamp, Slot::of(ns));
      } else {
        report.error(fault, in.line(row));
        if (parsing_.drops) {
          ++report.discarded;
          continue;
        }
      }
      frame.rows.push_back(row);
    }
    if (times.present() > 0) frame.put({{}, times.name(), &times_, &times, in.find(times.name())});
  }

  std::size_t memory_bytes() const override { return times_.memory_bytes() + field_.memory_bytes(); }

 private:
  // What is wrong, or nothing.
  std::string_view time_of(const Value& value, std::int64_t now_ns, std::int64_t& ns) const {
    std::array<char, 24> digits;
    std::string_view text;
    switch (value.tag) {
      case Value::Tag::kTimestamp:
        ns = value.integer;
        return {};
      case Value::Tag::kInt:
        text = {digits.data(), std::to_chars(digits.begin(), digits.end(), value.integer).ptr};
        break;
      case Value::Tag::kString:
      case Value::Tag::kNumber:
        text = value.text();
        break;
      case Value::Tag::kFault:
        return to_text(value.fault);
      default:
        return "not_a_text";
    }
    for (const TimeFormat& format : parsing_.formats) {
      const auto parsed = format.parse(text, now_ns);
      if (!parsed) continue;
      ns = *parsed;
      return {};
    }
    return to_text(ParseFault::kTime);
  }

  const TimeParsing& parsing_;
  ValueReader field_;
  Columns times_;
};

class ParseTimestamp final : public Transform {
 public:
  explicit ParseTimestamp(TimeParsing parsing) : parsing_(std::move(parsing)) {}
  WantedFields needs(const WantedFields& wanted) const override {
    WantedFields needs = wanted;
    add_needs(*parsing_.field, needs);
    return needs;
  }
  FieldSchema schema(const FieldSchema& in, std::size_t /*output*/) const override {
    FieldSchema out = in;
    const auto before = in.fields.find(parsing_.target);
    const bool other = before == in.fields.end() ? in.open : before->second != ExprType::kTimestamp;
    out.fields[parsing_.target] = other && !parsing_.drops ? ExprType::kDyn : ExprType::kTimestamp;
    return out;
  }
  std::vector<std::string> writes() const override { return {parsing_.target}; }
  std::unique_ptr<Stage> make_stage(const StageContext& context) const override {
    return std::make_unique<ParseTimestampStage>(parsing_, context.host);
  }

 private:
  const TimeParsing parsing_;
};

enum class OnNoTime { kKeep, kDrop };

struct ParseTimestampConfig : TransformConfig {
  std::string field;
  std::vector<std::string> format{"rfc3339"};
  std::string time_zone = "UTC";
  std::string target = "timestamp";
  OnNoTime on_error = OnNoTime::kKeep;
  bool operator==(const ParseTimestampConfig&) const = default;
  TransformBuilt build(const FieldSchema& in) const {
    TimeParsing parsing;
    parsing.target = target;
    parsing.drops = on_error == OnNoTime::kDrop;
    if (auto error = compile_optional("field", field, in, compile_field, parsing.field))
      return std::move(*error);
    const auto offset = parse_utc_offset(time_zone);
    if (!offset)
      return TransformError{"time_zone", SIZE_MAX, fmt::format("\"{}\" is no offset from UTC", time_zone),
                            "UTC, or as in +01:00: names of places are not known"};
    for (const std::string& text : format) {
      auto compiled = TimeFormat::compile(text, *offset);
      if (!compiled) return TransformError{"format", SIZE_MAX, compiled.error().message, {}};
      parsing.formats.push_back(std::move(*compiled));
    }
    if (parsing.formats.empty())
      return TransformError{"format", SIZE_MAX, "is empty", "rfc3339, epoch, or conversions of strptime"};
    return std::make_unique<ParseTimestamp>(std::move(parsing));
  }
};

}  // namespace

TransformType parse_timestamp_transform() {
  Describe<ParseTimestampConfig> parse(
      "The text or number of a field becomes the time of its event. The field itself stays.");
  parse.field("field", &ParseTimestampConfig::field, "The field; a key of an object stands behind a dot.")
      .required()
      .must(must_not_be_empty, "the name of a field")
      .example_is("time");
  parse
      .field("format", &ParseTimestampConfig::format,
             "How the time is written: `rfc3339`, `epoch` (also `epoch_s`, `epoch_ms`, `epoch_us`, "
             "`epoch_ns`), or conversions of strptime such as `%d/%b/%Y:%H:%M:%S %z`. Of several the first "
             "that fits counts.")
      .must(must_not_be_empty, "rfc3339, epoch, or conversions of strptime");
  parse.field("time_zone", &ParseTimestampConfig::time_zone,
              "Of times that do not say theirs: `UTC`, or an offset such as `+01:00`. The machine's own is "
              "never asked.");
  parse.field("target", &ParseTimestampConfig::target, "The field that the time goes to.")
      .must(must_not_be_empty, "the name of a field");
  parse.choice("on_error", &ParseTimestampConfig::on_error,
               {{"keep", OnNoTime::kKeep}, {"drop", OnNoTime::kDrop}},
               "What becomes of an event whose time cannot be told: it passes on as it came, or is "
               "discarded. It is counted in either case.");
  return transform_type("parse_timestamp", std::move(parse));
}

}  // namespace logflume
