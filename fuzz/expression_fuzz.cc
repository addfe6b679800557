// Goal: no expression crashes, hangs or is computed in two ways; an error points into the text. Method: a
// condition is computed over events with fields of every kind at once, row by row, and as a value, and over
// columns with a gap, which are not asked as a whole; the first line of the input is a text that the fields
// hold.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "expression/expression.h"
#include "expression/functions.h"

using namespace logflume;

namespace {

constexpr std::size_t kRows = 9;

// `gap`: the first row has nothing.
void fill(Columns& columns, std::string_view text, bool gap) {
  const std::size_t first = gap ? 1 : 0;
  columns.begin("", kRows + first);
  TextRef ref, number, object, array;
  columns.copy(text, ref);
  columns.copy("12.5e1", number);
  columns.copy(R"({"a": {"b": [1, "x", null]}, "c": -3})", object);
  columns.copy(R"([1, "x", [true], {"a": 2}])", array);
  for (std::size_t row = 0; row < kRows; ++row) {
    const auto add = [&](const char* name, ValueKind kind, Slot slot) {
      columns.at(columns.index_of(name)).add(row + first, kind, slot);
    };
    add("s", ValueKind::kString, Slot::of(ref));
    add("n", ValueKind::kInt, Slot::of(static_cast<std::int64_t>(row * 1000) - 3000));
    if (row % 2 == 0) add("gap", ValueKind::kString, Slot::of(ref));
    switch (row) {
      case 0:
        add("x", ValueKind::kNull, Slot::null());
        break;
      case 1:
        add("x", ValueKind::kBool, Slot::of(true));
        break;
      case 2:
        add("x", ValueKind::kInt, Slot::of(INT64_MIN));
        break;
      case 3:
        add("x", ValueKind::kDouble, Slot::of(-0.5));
        break;
      case 4:
        add("x", ValueKind::kTimestamp, Slot::of(INT64_MAX));
        break;
      case 5:
        add("x", ValueKind::kNumber, Slot::of(number));
        break;
      case 6:
        add("x", ValueKind::kJson, Slot::of(object));
        break;
      case 7:
        add("x", ValueKind::kJson, Slot::of(array));
        break;
      default:
        break;
    }
  }
}

std::vector<FieldView> views(const Expression& expression, const Columns& columns) {
  std::vector<FieldView> fields;
  for (const std::string& name : expression.fields())
    fields.push_back({.column = columns.find(name), .columns = &columns});
  return fields;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = std::min(input.find('\n'), input.size());
  const std::string_view text = input.substr(std::min(line + 1, input.size()));
  const auto compiled = Expression::compile(text, {});
  if (const auto* error = std::get_if<ExpressionError>(&compiled)) {
    FUZZ_CHECK(error->at <= text.size() && error->bytes >= 1 && !error->message.empty());
    return 0;
  }
  const auto& expression = std::get<Expression>(compiled);
  Columns columns;
  fill(columns, input.substr(0, line), false);
  const std::vector<FieldView> fields = views(expression, columns);

  Evaluation evaluation;
  evaluation.begin(fields, 0);
  FaultCounts faults{};
  std::vector<std::uint32_t> together(kRows), one_by_one;
  together.resize(expression.select(evaluation, Rows::all(kRows), together.data(), faults));
  std::vector<Value> values(kRows);
  expression.values(evaluation, Rows::all(kRows), values.data());
  for (std::uint32_t row = 0; row < kRows; ++row) {
    std::uint32_t selected = 0;
    const bool is_true = expression.select(evaluation, {&row, 0, 1}, &selected, faults) == 1;
    FUZZ_CHECK(is_true == values[row].is_true());
    if (is_true) one_by_one.push_back(row);
  }
  FUZZ_CHECK(together == one_by_one);

  Columns with_gap;
  fill(with_gap, input.substr(0, line), true);
  const std::vector<FieldView> gap_fields = views(expression, with_gap);
  Evaluation of_gap;
  of_gap.begin(gap_fields, 0);
  std::vector<Value> slow(kRows);
  expression.values(of_gap, {nullptr, 1, kRows}, slow.data());
  for (std::uint32_t row = 0; row < kRows; ++row) FUZZ_CHECK(to_text(values[row]) == to_text(slow[row]));
  return 0;
}
