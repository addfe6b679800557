#include "expression/functions.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <utility>

#include "base/civil_time.h"
#include "expression/function_parts.h"

namespace logflume {
namespace {

using Tag = Value::Tag;
using enum ExprType;

// Of any value; the checker knows them.
std::vector<ExprFunction> field_functions() {
  using enum ExprForm;
  return {
      {"has",
       kFunction,
       {{{kDyn}, kBool}},
       nullptr,
       "Whether the event has the field, or the object the key. The argument is a name or ends in `.key`.",
       "constant",
       R"(has(["a"].b))",
       "false"},
      {"coalesce",
       kFunction,
       {},
       nullptr,
       "The first of its arguments that is there and not null; null when none is.",
       "constant",
       R"(coalesce(null, "a", "b"))",
       R"("a")"},
  };
}

// Those of lists that take a variable; the checker knows them.
std::vector<ExprFunction> macro_functions() {
  using enum ExprForm;
  return {
      {"all",
       kMethod,
       {{{kList, kDyn, kBool}, kBool}},
       nullptr,
       "Whether a condition holds for each element, which the variable stands for.",
       "linear",
       "[1, 2].all(x, x > 0)",
       "true"},
      {"exists",
       kMethod,
       {{{kList, kDyn, kBool}, kBool}},
       nullptr,
       "Whether it holds for one of them.",
       "linear",
       "[1, 2].exists(x, x > 1)",
       "true"},
      {"exists_one",
       kMethod,
       {{{kList, kDyn, kBool}, kBool}},
       nullptr,
       "Whether it holds for just one of them.",
       "linear",
       "[1, 2, 3].exists_one(x, x > 1)",
       "false"},
      {"filter",
       kMethod,
       {{{kList, kDyn, kBool}, kList}},
       nullptr,
       "The elements that it holds for.",
       "linear",
       "[1, 2, 3].filter(x, x > 1)",
       "[2, 3]"},
      {"map",
       kMethod,
       {{{kList, kDyn, kDyn}, kList}},
       nullptr,
       "What an expression makes of each element.",
       "linear",
       "[1, 2].map(x, x * 10)",
       "[10, 20]"},
  };
}

// In the order of the documentation.
const std::vector<ExprFunction>& table() {
  static const std::vector<ExprFunction> functions = [] {
    std::vector<ExprFunction> all;
    for (auto* const part : {field_functions, text_functions, conversion_functions, time_functions,
                             number_functions, macro_functions}) {
      for (ExprFunction& function : part()) all.push_back(std::move(function));
    }
    return all;
  }();
  return functions;
}

}  // namespace

std::span<const ExprFunction> expression_functions() { return table(); }

std::string signature_text(const ExprFunction& function, const ExprSignature& signature) {
  const bool method = function.form != ExprForm::kFunction && !signature.parameters.empty();
  std::string out = method ? fmt::format("{}.", to_text(signature.parameters[0])) : std::string();
  out += function.name;
  out.push_back('(');
  for (std::size_t i = method ? 1 : 0; i < signature.parameters.size(); ++i) {
    if (i > (method ? 1U : 0U)) out += ", ";
    out += to_text(signature.parameters[i]);
  }
  return fmt::format("{}) -> {}", out, to_text(signature.result));
}

void append_text(const Value& value, std::string& out) {
  switch (value.tag) {
    case Tag::kFault:
      out += to_text(value.fault);
      return;
    case Tag::kNull:
      out += "null";
      return;
    case Tag::kBool:
      out += value.integer != 0 ? "true" : "false";
      return;
    case Tag::kInt:
      fmt::format_to(std::back_inserter(out), "{}", value.integer);
      return;
    case Tag::kDouble:
      if (std::isinf(value.real)) {
        out += value.real < 0 ? "-Infinity" : "Infinity";
      } else if (std::isnan(value.real)) {
        out += "NaN";
      } else {
        fmt::format_to(std::back_inserter(out), "{}", value.real);
      }
      return;
    case Tag::kTimestamp:
      out += format_rfc3339(value.integer);
      return;
    case Tag::kDuration:
      out += format_seconds(value.integer);
      return;
    case Tag::kString:
    case Tag::kNumber:
    case Tag::kJson:
      out += value.text();
      return;
    case Tag::kList:
      break;
  }
  out += '[';
  for (std::uint32_t i = 0; i < value.size; ++i) {
    const Value& item = value.items[i];
    const bool quoted = item.is(Tag::kString);
    if (i > 0) out += ", ";
    if (quoted) out += '"';
    append_text(item, out);
    if (quoted) out += '"';
  }
  out += ']';
}

std::string to_text(const Value& value) {
  std::string out;
  append_text(value, out);
  return out;
}

}  // namespace logflume
