// Conversions between types, and the functions of numbers.
#include <algorithm>
#include <array>
#include <cmath>

#include "expression/function_parts.h"
#include "expression/operators.h"

namespace logflume {
namespace {

using Tag = Value::Tag;
using enum ExprType;

Value to_int(Evaluation& /*evaluation*/, const Value* arguments, std::size_t /*count*/) {
  Value value = plain(arguments[0]);
  if (value.is(Tag::kString)) {
    value = as_number(value.text());
    return value.is(Tag::kInt) ? value : fault(ExprFault::kConversion);
  }
  if (value.is(Tag::kDouble)) {
    constexpr double kBeyond = 9223372036854775808.0;  // 2^63
    if (!(value.real > -kBeyond && value.real < kBeyond)) return fault(ExprFault::kOverflow);
    return Value::of(static_cast<std::int64_t>(value.real));
  }
  if (value.is(Tag::kTimestamp)) {  // seconds, downwards
    const std::int64_t second = 1'000'000'000;
    return Value::of(value.integer / second - (value.integer % second < 0 ? 1 : 0));
  }
  return value.is(Tag::kInt) || value.is_fault() ? value : fault(ExprFault::kType);
}

Value to_double(Evaluation& /*evaluation*/, const Value* arguments, std::size_t /*count*/) {
  const Value& argument = arguments[0];
  const Value value = argument.is(Tag::kString) ? as_number(argument.text()) : plain(argument);
  if (value.is(Tag::kInt)) return Value::of(static_cast<double>(value.integer));
  return value.is(Tag::kDouble) || value.is_fault() ? value : fault(ExprFault::kType);
}

Value to_bool(Evaluation& /*evaluation*/, const Value* arguments, std::size_t /*count*/) {
  if (arguments[0].is(Tag::kBool)) return arguments[0];
  if (!arguments[0].is(Tag::kString)) return fault(ExprFault::kType);
  static constexpr std::array<std::string_view, 5> kTrue = {"true", "True", "TRUE", "t", "1"};
  static constexpr std::array<std::string_view, 5> kFalse = {"false", "False", "FALSE", "f", "0"};
  const std::string_view text = arguments[0].text();
  if (std::ranges::find(kTrue, text) != kTrue.end()) return Value::of(true);
  if (std::ranges::find(kFalse, text) != kFalse.end()) return Value::of(false);
  return fault(ExprFault::kConversion);
}

Value absolute(Evaluation& /*evaluation*/, const Value* arguments, std::size_t /*count*/) {
  const Value number = plain(arguments[0]);
  if (number.is(Tag::kDouble)) return Value::of(std::fabs(number.real));
  if (!number.is(Tag::kInt)) return number.is_fault() ? number : fault(ExprFault::kType);
  return number.integer < 0 ? negative(number) : number;
}

template <Order kWanted>
Value extreme(Evaluation& /*evaluation*/, const Value* arguments, std::size_t count) {
  Value best = plain(arguments[0]);
  for (std::size_t i = 0; i < count; ++i) {
    const Value number = plain(arguments[i]);
    if (number.is_fault()) return number;
    if (!number.is(Tag::kInt) && !number.is(Tag::kDouble)) return fault(ExprFault::kType);
    if (order(number, best) == kWanted) best = number;
  }
  return best;
}

template <double (*kRound)(double)>
Value rounded(Evaluation& evaluation, const Value* arguments, std::size_t count) {
  const Value number = to_double(evaluation, arguments, count);
  return number.is_fault() ? number : Value::of(kRound(number.real));
}

Value to_string(Evaluation& evaluation, const Value* arguments, std::size_t /*count*/) {
  const Value& value = arguments[0];
  if (value.is(Tag::kString)) return value;
  if (value.is(Tag::kNumber) || value.is(Tag::kJson)) return Value::of(value.text());
  if (value.is(Tag::kList) || value.is(Tag::kNull)) return fault(ExprFault::kType);
  return evaluation.texts.keep(to_text(value), Tag::kString);
}

Value type_name(Evaluation& /*evaluation*/, const Value* arguments, std::size_t /*count*/) {
  const Value value = plain(arguments[0]);
  switch (value.tag) {
    case Tag::kNull:
      return Value::of(std::string_view("null_type"));
    case Tag::kBool:
      return Value::of(to_text(kBool));
    case Tag::kInt:
      return Value::of(to_text(kInt));
    case Tag::kDouble:
      return Value::of(to_text(kDouble));
    case Tag::kTimestamp:
      return Value::of(to_text(kTimestamp));
    case Tag::kDuration:
      return Value::of(to_text(kDuration));
    case Tag::kString:
      return Value::of(to_text(kString));
    case Tag::kList:
      return Value::of(to_text(kList));
    case Tag::kJson:
      return Value::of(to_text(value.text().starts_with('[') ? kList : kMap));
    case Tag::kNumber:
    case Tag::kFault:
      break;
  }
  return value;
}

}  // namespace

std::vector<ExprFunction> conversion_functions() {
  using enum ExprForm;
  return {
      {"int",
       kFunction,
       {{{kInt}, kInt}, {{kDouble}, kInt}, {{kString}, kInt}, {{kTimestamp}, kInt}},
       to_int,
       "A whole number: of a double without its fraction, of a text, of a timestamp its seconds since 1970.",
       "constant",
       R"(int("42"))",
       "42"},
      {"double",
       kFunction,
       {{{kInt}, kDouble}, {{kDouble}, kDouble}, {{kString}, kDouble}},
       to_double,
       "A number with a fraction, also of a text.",
       "constant",
       R"(double("0.25"))",
       "0.25"},
      {"string",
       kFunction,
       {{{kString}, kString},
        {{kInt}, kString},
        {{kDouble}, kString},
        {{kBool}, kString},
        {{kTimestamp}, kString},
        {{kDuration}, kString},
        {{kMap}, kString}},
       to_string,
       "As text: a timestamp as RFC 3339, a duration in seconds, an object as its JSON.",
       "a copy",
       "string(1.5)",
       R"("1.5")"},
      {"bool",
       kFunction,
       {{{kBool}, kBool}, {{kString}, kBool}},
       to_bool,
       "Of the texts true, t, 1 and false, f, 0.",
       "constant",
       R"(bool("true"))",
       "true"},
      {"type",
       kFunction,
       {{{kDyn}, kString}},
       type_name,
       "The name of its type: null_type, bool, int, double, string, timestamp, duration, list or map.",
       "constant",
       "type(1.5)",
       R"("double")"},
  };
}

std::vector<ExprFunction> number_functions() {
  using enum ExprForm;
  return {
      {"abs",
       kFunction,
       {{{kInt}, kInt}, {{kDouble}, kDouble}},
       absolute,
       "Without its sign.",
       "constant",
       "abs(-3)",
       "3"},
      {"min",
       kFunction,
       {{{kDyn, kDyn}, kDyn}},
       extreme<Order::kLess>,
       "The smaller of two numbers.",
       "constant",
       "min(2, 1.5)",
       "1.5"},
      {"max",
       kFunction,
       {{{kDyn, kDyn}, kDyn}},
       extreme<Order::kGreater>,
       "The larger of two numbers.",
       "constant",
       "max(2, 1.5)",
       "2"},
      {"floor",
       kFunction,
       {{{kDouble}, kDouble}, {{kInt}, kDouble}},
       rounded<std::floor>,
       "Rounded down.",
       "constant",
       "floor(1.7)",
       "1.0"},
      {"ceil",
       kFunction,
       {{{kDouble}, kDouble}, {{kInt}, kDouble}},
       rounded<std::ceil>,
       "Rounded up.",
       "constant",
       "ceil(1.2)",
       "2.0"},
      {"round",
       kFunction,
       {{{kDouble}, kDouble}, {{kInt}, kDouble}},
       rounded<std::round>,
       "Rounded to the nearest whole number, halves away from 0.",
       "constant",
       "round(1.5)",
       "2.0"},
  };
}

}  // namespace logflume
