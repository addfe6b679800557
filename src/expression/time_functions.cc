// The functions of timestamps and durations.
#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "base/civil_time.h"
#include "expression/function_parts.h"

namespace logflume {
namespace {

using Tag = Value::Tag;
using enum ExprType;

// "1h2m3.5s", "-90s", "250ms": as Go writes them.
std::optional<std::int64_t> parse_span(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::int64_t>, 7> kUnits = {
      {{"ns", 1},
       {"us", 1'000},
       {"ms", 1'000'000},
       {"s", 1'000'000'000},
       {"m", 60'000'000'000},
       {"h", 3'600'000'000'000},
       {"d", 86'400'000'000'000}}};
  const bool minus = text.starts_with('-');
  if (minus || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return 0;
  std::int64_t total = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    const std::size_t unit_at = text.find_first_not_of("0123456789.");
    if (unit_at == 0 || unit_at == std::string_view::npos) return std::nullopt;
    const std::string_view number = text.substr(0, unit_at);
    text.remove_prefix(unit_at);
    const std::string_view name = text.substr(0, std::min(text.find_first_of("0123456789."), text.size()));
    text.remove_prefix(name.size());
    const auto unit = std::ranges::find(kUnits, name, &std::pair<std::string_view, std::int64_t>::first);
    if (unit == kUnits.end()) return std::nullopt;
    const std::size_t point = std::min(number.find('.'), number.size());
    std::int64_t whole = 0, part = 0;
    if (point > 0) {
      const auto [end, error] = std::from_chars(number.data(), number.data() + point, whole);
      if (error != std::errc() || end != number.data() + point) return std::nullopt;
    }
    std::int64_t scale = unit->second;
    for (std::size_t i = point + 1; i < number.size(); ++i) {
      if (number[i] == '.') return std::nullopt;
      scale /= 10;
      part += (number[i] - '0') * scale;
    }
    if (number == "." || __builtin_mul_overflow(whole, unit->second, &whole) ||
        __builtin_add_overflow(whole, part, &whole) || __builtin_add_overflow(total, whole, &total))
      return std::nullopt;
  }
  return minus ? -total : total;
}

Value to_timestamp(Evaluation& /*evaluation*/, const Value* arguments, std::size_t /*count*/) {
  const Value value = plain(arguments[0]);
  std::int64_t ns = 0;
  if (value.is(Tag::kTimestamp)) return value;
  if (value.is(Tag::kInt)) {
    if (__builtin_mul_overflow(value.integer, std::int64_t{1'000'000'000}, &ns))
      return fault(ExprFault::kOverflow);
    return Value::make(Tag::kTimestamp, ns);
  }
  if (!value.is(Tag::kString)) return value.is_fault() ? value : fault(ExprFault::kType);
  const auto parsed = parse_rfc3339(value.text());
  return parsed ? Value::make(Tag::kTimestamp, *parsed) : fault(ExprFault::kConversion);
}

Value to_duration(Evaluation& /*evaluation*/, const Value* arguments, std::size_t /*count*/) {
  if (arguments[0].is(Tag::kDuration)) return arguments[0];
  if (!arguments[0].is(Tag::kString)) return fault(ExprFault::kType);
  const auto parsed = parse_span(arguments[0].text());
  return parsed ? Value::make(Tag::kDuration, *parsed) : fault(ExprFault::kConversion);
}

Value now(Evaluation& evaluation, const Value* /*arguments*/, std::size_t /*count*/) {
  return Value::make(Tag::kTimestamp, evaluation.now_ns());
}

// A part of a timestamp, in UTC or with an offset; or of a duration, of which it is the whole.
template <auto kPart, std::int64_t kUnitNs = 0>
Value part(Evaluation& /*evaluation*/, const Value* arguments, std::size_t count) {
  if (arguments[0].is(Tag::kDuration) && kUnitNs > 0 && count == 1)
    return Value::of(arguments[0].integer / kUnitNs);
  if (!arguments[0].is(Tag::kTimestamp)) return fault(ExprFault::kType);
  int offset = 0;
  if (count > 1) {
    if (!arguments[1].is(Tag::kString)) return fault(ExprFault::kType);
    const auto parsed = parse_utc_offset(arguments[1].text());
    if (!parsed) return fault(ExprFault::kConversion);
    offset = *parsed;
  }
  return Value::of(std::int64_t{kPart(civil_time(arguments[0].integer, offset))});
}

}  // namespace

std::vector<ExprFunction> time_functions() {
  using enum ExprForm;
  const auto time_part = [](std::string_view name, ExprFunctionBody body, bool of_duration,
                            std::string_view doc, std::string_view example, std::string_view result) {
    ExprFunction function{name,    kMethod, {{{kTimestamp}, kInt}, {{kTimestamp, kString}, kInt}},
                          body,    doc,     "constant",
                          example, result};
    if (of_duration) function.signatures.push_back({{kDuration}, kInt});
    return function;
  };
  return {
      {"timestamp",
       kFunction,
       {{{kTimestamp}, kTimestamp}, {{kString}, kTimestamp}, {{kInt}, kTimestamp}},
       to_timestamp,
       "A point in time, of RFC 3339 or of seconds since 1970.",
       "constant",
       R"(timestamp("2026-01-02T03:04:05Z") < timestamp(1800000000))",
       "true"},
      {"duration",
       kFunction,
       {{{kDuration}, kDuration}, {{kString}, kDuration}},
       to_duration,
       "A length of time, of numbers with the units d, h, m, s, ms, us, ns.",
       "constant",
       R"(duration("1h30m") == duration("5400s"))",
       "true"},
      {"now",
       kFunction,
       {{{}, kTimestamp}},
       now,
       "When this is computed; the same for all events that are computed together.",
       "constant",
       R"(now() > timestamp("2026-01-01T00:00:00Z"))",
       "true"},
      time_part("getFullYear", part<[](const CivilTime& t) { return t.year; }>, false, "The year.",
                R"(timestamp("2026-01-02T03:04:05Z").getFullYear())", "2026"),
      time_part("getMonth", part<[](const CivilTime& t) { return t.month - 1; }>, false, "The month, from 0.",
                R"(timestamp("2026-01-02T03:04:05Z").getMonth())", "0"),
      time_part("getDate", part<[](const CivilTime& t) { return t.day; }>, false,
                "The day of the month, from 1.", R"(timestamp("2026-01-02T03:04:05Z").getDate())", "2"),
      time_part("getDayOfMonth", part<[](const CivilTime& t) { return t.day - 1; }>, false,
                "The day of the month, from 0.", R"(timestamp("2026-01-02T03:04:05Z").getDayOfMonth())", "1"),
      time_part("getDayOfWeek", part<[](const CivilTime& t) { return t.weekday; }>, false,
                "The day of the week, 0 for Sunday.", R"(timestamp("2026-01-02T03:04:05Z").getDayOfWeek())",
                "5"),
      time_part("getDayOfYear", part<[](const CivilTime& t) { return t.day_of_year; }>, false,
                "The day of the year, from 0.", R"(timestamp("2026-02-02T03:04:05Z").getDayOfYear())", "32"),
      time_part("getHours", part<[](const CivilTime& t) { return t.hour; }, 3'600'000'000'000>, true,
                "The hour, in UTC or at an offset such as \"+01:00\"; of a duration its whole hours.",
                R"(timestamp("2026-01-02T23:04:05Z").getHours("+02:00"))", "1"),
      time_part("getMinutes", part<[](const CivilTime& t) { return t.minute; }, 60'000'000'000>, true,
                "The minute; of a duration its whole minutes.", R"(duration("1h30m").getMinutes())", "90"),
      time_part("getSeconds", part<[](const CivilTime& t) { return t.second; }, 1'000'000'000>, true,
                "The second; of a duration its whole seconds.", R"(duration("90s").getSeconds())", "90"),
      time_part("getMilliseconds",
                part<[](const CivilTime& t) { return t.nanosecond / 1'000'000; }, 1'000'000>, true,
                "The milliseconds of the second; of a duration its whole milliseconds.",
                R"(timestamp("2026-01-02T03:04:05.678Z").getMilliseconds())", "678"),
  };
}

}  // namespace logflume
