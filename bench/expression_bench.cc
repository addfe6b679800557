// Question: how many events a second does a condition judge, once its fields are columns?
//
// Method: the events of one slab (1,300 of 200 B), whose columns stay in L2; a bare loop over the same arrays
// beside it. "level" is one of five words, "status" one of six numbers; some three of ten events are ERROR or
// 500 and more.
#include <benchmark/benchmark.h>

#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "expression/expression.h"

namespace logflume {
namespace {

constexpr std::size_t kRows = 1300;

struct Events {
  std::string text;
  Columns columns;

  Events() {
    static constexpr std::string_view kLevels[] = {"INFO", "ERROR", "DEBUG", "WARNING", "INFO"};
    static constexpr std::int64_t kStatuses[] = {200, 200, 301, 404, 500, 503};
    std::mt19937 random(1);
    std::vector<std::string_view> levels;
    for (std::size_t row = 0; row < kRows; ++row) {
      levels.push_back(kLevels[random() % std::size(kLevels)]);
      text += std::string(190, 'x');
      text += levels.back();
    }
    columns.begin(text, kRows);
    Column& level = columns.at(columns.index_of("level"));
    Column& status = columns.at(columns.index_of("status"));
    std::size_t at = 0;
    for (std::size_t row = 0; row < kRows; ++row) {
      at += 190;
      level.add(row, ValueKind::kString,
                Slot::of(columns.ref(std::string_view(text).substr(at, levels[row].size()))));
      at += levels[row].size();
      status.add(row, ValueKind::kInt, Slot::of(kStatuses[random() % std::size(kStatuses)]));
    }
  }
};

void report(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kRows));
}

void select(benchmark::State& state, std::string_view text) {
  const Events events;
  auto compiled = Expression::compile_condition(text, {});
  const auto& expression = std::get<Expression>(compiled);
  std::vector<FieldView> fields;
  for (const std::string& name : expression.fields())
    fields.push_back({.column = events.columns.find(name), .columns = &events.columns});
  Evaluation evaluation;
  std::vector<std::uint32_t> out(kRows);
  FaultCounts faults{};
  for (auto _ : state) {
    evaluation.begin(fields, 0);
    benchmark::DoNotOptimize(expression.select(evaluation, Rows::all(kRows), out.data(), faults));
  }
  report(state);
}

void BM_BareLoopOverTwoColumns(benchmark::State& state) {
  const Events events;
  const Slot* const levels = events.columns.find("level")->slots();
  const Slot* const statuses = events.columns.find("status")->slots();
  std::vector<std::uint32_t> out(kRows);
  for (auto _ : state) {
    std::uint32_t selected = 0;
    for (std::uint32_t row = 0; row < kRows; ++row) {
      const std::string_view level = events.columns.text(levels[row].text);
      out[selected] = row;
      selected += level == "ERROR" && statuses[row].integer >= 500 ? 1 : 0;
    }
    benchmark::DoNotOptimize(selected);
    benchmark::DoNotOptimize(out.data());
  }
  report(state);
}
BENCHMARK(BM_BareLoopOverTwoColumns);

const auto kConditions = {
    R"e(level == "ERROR" && status >= 500)e",
    R"e(status >= 500 || level == "ERROR")e",
    R"e(status >= 500)e",
    R"e(level == "ERROR")e",
    R"e(level in ["ERROR", "FATAL"])e",
    R"e(level.startsWith("ERR"))e",
    R"e(level.matches("^(ERR|FATAL)"))e",
    R"e(status * 2 + 1 > 1000)e",
};
const bool kRegistered = [] {
  for (const char* condition : kConditions) benchmark::RegisterBenchmark(condition, select, condition);
  return true;
}();

}  // namespace
}  // namespace logflume
