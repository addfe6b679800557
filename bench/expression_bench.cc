// Question: how many events a second does a condition judge, once its fields are columns?
//
// Method: the events of one slab (1,300 of 200 B), whose columns stay in L2; a bare loop over the same arrays
// beside it. "level" is one of five words, "status" one of six numbers, "number" the same as JSON has it,
// "path" one of some hundred texts of 10 to 60 bytes; some three of ten events are ERROR or 500 and more.
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
    static constexpr std::string_view kNumbers = "200 200 301 404 500 503 ";
    std::mt19937 random(1);
    text = kNumbers;
    constexpr std::size_t kOther = 150;
    std::vector<std::string_view> levels;
    std::vector<std::string> paths;
    for (std::size_t row = 0; row < kRows; ++row) {
      levels.push_back(kLevels[random() % std::size(kLevels)]);
      paths.push_back("/api/v1/" + std::string(random() % 50, 'p') + std::to_string(random() % 3) +
                      (random() % 4 == 0 ? "/cart" : ".html"));
      text.append(kOther, 'x').append(levels.back()).append(paths.back());
    }
    const std::size_t size = text.size();
    text.resize(size + 64);  // as slabs have it
    columns.begin(std::string_view(text).substr(0, size), kRows);
    Column& level = columns.at(columns.index_of("level"));
    Column& path = columns.at(columns.index_of("path"));
    Column& number = columns.at(columns.index_of("number"));
    Column& status = columns.at(columns.index_of("status"));
    std::size_t at = kNumbers.size();
    for (std::size_t row = 0; row < kRows; ++row) {
      at += kOther;
      const auto add = [&](Column& column, std::size_t bytes) {
        column.add(row, ValueKind::kString, Slot::of(columns.ref(std::string_view(text).substr(at, bytes))));
        at += bytes;
      };
      add(level, levels[row].size());
      add(path, paths[row].size());
      const std::size_t which = random() % std::size(kStatuses);
      status.add(row, ValueKind::kInt, Slot::of(kStatuses[which]));
      number.add(row, ValueKind::kNumber, Slot::of(columns.ref(std::string_view(text).substr(which * 4, 3))));
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
    R"e(number >= 500)e",
    R"e(level == "ERROR")e",
    R"e(level in ["ERROR", "FATAL"])e",
    R"e(level in ["ERROR", "FATAL", "CRITICAL", "ALERT", "EMERGENCY", "PANIC", "SEVERE", "WARNING"])e",
    R"e(status in [500, 502, 503, 504])e",
    R"e(level.startsWith("ERR"))e",
    R"e(path.endsWith("/cart"))e",
    R"e(path.contains("pp2/"))e",
    R"e(level.matches("^(ERR|FATAL)"))e",
    R"e(status * 2 + 1 > 1000)e",
};
const bool kRegistered = [] {
  for (const char* condition : kConditions) benchmark::RegisterBenchmark(condition, select, condition);
  return true;
}();

}  // namespace
}  // namespace logflume
