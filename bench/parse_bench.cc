// Question: how near do the parsers come to a loop that is written for one format and keeps nothing?
//
// Method: one slab of lines, which stays in L2; all fields to columns, beside simdjson on demand over the
// same lines (each value looked at) and a scanner of nine captures written by hand.
#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "bare_parsers.h"
#include "event/newlines.h"
#include "event/slab.h"
#include "parse/grok_parser.h"
#include "parse/json_parser.h"
#include "parse/log_format_parser.h"
#include "parse/regex_parser.h"

namespace logflume {
namespace {

constexpr std::size_t kTextBytes = SlabPool::kSlabBytes;

struct Lines {
  std::string text;  // padded
  std::size_t bytes = 0;
  std::vector<std::string_view> lines;

  explicit Lines(std::string made) : text(std::move(made)), bytes(text.size()) {
    text.resize(bytes + 64);
    std::vector<std::uint32_t> ends;
    index_newlines(std::string_view(text).substr(0, bytes), ends);
    std::size_t begin = 0;
    for (const std::uint32_t end : ends) {
      lines.push_back(std::string_view(text).substr(begin, end - begin));
      begin = end + 1;
    }
  }
};

// Some 320 B: 14 members, one of them an object.
Lines json_lines() {
  std::mt19937 random(1);
  std::string text;
  while (text.size() < kTextBytes) {
    text += R"({"timestamp":"2026-11-23T07:36:54.)" + std::to_string(100 + random() % 900) +
            R"(Z","level":")" + (random() % 5 == 0 ? "ERROR" : "INFO") +
            R"(","logger":"com.example.orders.OrderService","thread":"worker-)" +
            std::to_string(random() % 32) + R"(","trace_id":"4bf92f3577b34da6a3ce929d0e0e)" +
            std::to_string(1000 + random() % 9000) + R"(","user_id":)" + std::to_string(random()) +
            R"(,"duration_ms":)" + std::to_string(random() % 1000) + "." + std::to_string(random() % 10) +
            R"(,"cached":false,"request":{"method":"GET","path":"/api/v1/items"},"status":200,)"
            R"("message":"request served to the client in time"})"
            "\n";
  }
  return Lines(text);
}

Lines nginx_lines() {
  std::mt19937 random(1);
  std::string text;
  std::size_t number = 0;
  while (text.size() < kTextBytes) {
    ++number;  // 100 lines a second
    text += "203.0.113." + std::to_string(random() % 256) +
            " - - [23/Nov/2026:07:36:" + std::to_string(10 + number / 100 % 50) +
            " +0000] \"GET /api/v1/items/" + std::to_string(random() % 100000) +
            "?page=" + std::to_string(random() % 50) + " HTTP/1.1\" " + (random() % 20 == 0 ? "404" : "200") +
            " " + std::to_string(random() % 50000) +
            " \"https://shop.example/\" \"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 "
            "Firefox/140.0\"\n";
  }
  return Lines(text);
}

void report(benchmark::State& state, const Lines& lines) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(lines.bytes));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(lines.lines.size()));
}

void parse(benchmark::State& state, Parser& parser, const Lines& lines) {
  Columns columns;
  FoundFields found;
  for (auto _ : state) {
    columns.begin(std::string_view(lines.text).substr(0, lines.bytes), lines.lines.size());
    parser.begin(columns, 0);
    for (std::size_t row = 0; row < lines.lines.size(); ++row) {
      found.clear();
      if (parser.parse(lines.lines[row], found) == ParseFault::kNone) found.commit(columns, row);
    }
    benchmark::DoNotOptimize(columns.size());
  }
  if (columns.at(0).present() != lines.lines.size()) state.SkipWithError("lines were not accepted");
  report(state, lines);
}

template <typename Bare>
void parse_bare(benchmark::State& state, Bare bare, const Lines& lines) {
  for (auto _ : state) {
    std::size_t bytes = 0;
    for (const std::string_view line : lines.lines) bytes += bare.parse(line);
    benchmark::DoNotOptimize(bytes);
  }
  report(state, lines);
}

void BM_JsonBare(benchmark::State& state) { parse_bare(state, BareJson(), json_lines()); }
BENCHMARK(BM_JsonBare);

void BM_JsonAllFields(benchmark::State& state) {
  const auto parser = make_json_parser({});
  parse(state, *parser, json_lines());
}
BENCHMARK(BM_JsonAllFields);

void BM_JsonOneField(benchmark::State& state) {
  JsonParserConfig config;
  config.wanted = {false, {"level"}};
  const auto parser = make_json_parser(std::move(config));
  parse(state, *parser, json_lines());
}
BENCHMARK(BM_JsonOneField);

void BM_NginxBare(benchmark::State& state) { parse_bare(state, BareNginx(), nginx_lines()); }
BENCHMARK(BM_NginxBare);

void BM_NginxAllFields(benchmark::State& state) {
  const auto parser = std::move(*make_nginx_parser({"combined", {}}));
  parse(state, *parser, nginx_lines());
}
BENCHMARK(BM_NginxAllFields);

void BM_NginxOneField(benchmark::State& state) {
  const auto parser = std::move(*make_nginx_parser({"combined", {false, {"status"}}}));
  parse(state, *parser, nginx_lines());
}
BENCHMARK(BM_NginxOneField);

void BM_RegexBare(benchmark::State& state) { parse_bare(state, BareRegex(kNginxPattern), nginx_lines()); }
BENCHMARK(BM_RegexBare);

void BM_RegexAllFields(benchmark::State& state) {
  const auto parser = std::move(*make_regex_parser({kNginxPattern, {{"status", FieldType::kInt}}, {}}));
  parse(state, *parser, nginx_lines());
}
BENCHMARK(BM_RegexAllFields);

void BM_GrokAllFields(benchmark::State& state) {
  const auto parser =
      std::move(*make_grok_parser({"^%{COMBINEDAPACHELOG}", {}, {{"response", FieldType::kInt}}, {}}));
  parse(state, *parser, nginx_lines());
}
BENCHMARK(BM_GrokAllFields);

}  // namespace
}  // namespace logflume
