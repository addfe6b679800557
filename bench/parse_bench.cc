// Question: how near do the parsers come to a loop that is written for one format and keeps nothing?
//
// Method: one slab of lines, which stays in L2; all fields to columns, beside simdjson on demand over the
// same lines (each value looked at) and a scanner of nine captures written by hand.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <benchmark/benchmark.h>
#include <pcre2.h>
#include <simdjson.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

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

// As its own benchmarks take values: each as what it is.
std::size_t looked_at(simdjson::ondemand::value& value) {
  std::string_view text;
  double number = 0;
  bool flag = false;
  switch (simdjson::ondemand::json_type(value.type())) {
    case simdjson::ondemand::json_type::string:
      return value.get_string().get(text) == 0 ? text.size() : 0;
    case simdjson::ondemand::json_type::number:
      return value.get_double().get(number) == 0 && number > 0 ? 1 : 0;
    case simdjson::ondemand::json_type::boolean:
      return value.get_bool().get(flag) == 0 && flag ? 1 : 0;
    case simdjson::ondemand::json_type::object: {
      simdjson::ondemand::object object;
      return value.get_object().get(object) == 0 && object.raw_json().get(text) == 0 ? text.size() : 0;
    }
    default:
      return 0;
  }
}

void BM_JsonBare(benchmark::State& state) {
  const Lines lines = json_lines();
  simdjson::ondemand::parser parser;
  for (auto _ : state) {
    std::size_t bytes = 0;
    for (const std::string_view line : lines.lines) {
      simdjson::ondemand::document document;
      if (parser.iterate(line.data(), line.size(), line.size() + simdjson::SIMDJSON_PADDING).get(document) !=
          0)
        continue;
      for (auto member : document.get_object()) {
        std::string_view key;
        if (member.unescaped_key().get(key) != 0) continue;
        simdjson::ondemand::value value;
        if (member.value().get(value) != 0) continue;
        bytes += key.size() + looked_at(value);
      }
    }
    benchmark::DoNotOptimize(bytes);
  }
  report(state, lines);
}
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

void BM_NginxBare(benchmark::State& state) {
  const Lines lines = nginx_lines();
  for (auto _ : state) {
    std::size_t bytes = 0;
    for (const std::string_view line : lines.lines) {
      const char* at = line.data();
      const char* const end = at + line.size();
      const auto until = [&](char c) {
        const auto* const found =
            static_cast<const char*>(std::memchr(at, c, static_cast<std::size_t>(end - at)));
        if (found == nullptr) return;
        bytes += static_cast<std::size_t>(found - at);
        at = found + 1;
      };
      until(' ');  // remote_addr
      at += 2;     // "- "
      until(' ');  // remote_user
      ++at;        // [
      until(']');  // time_local
      at += 2;     //  "
      until('"');  // request
      ++at;        // blank
      until(' ');  // status
      until(' ');  // body_bytes_sent
      ++at;        // "
      until('"');  // referer
      at += 2;     //  "
      until('"');  // user agent
    }
    benchmark::DoNotOptimize(bytes);
  }
  report(state, lines);
}
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

constexpr const char* kNginxPattern =
    "^(?<remote_addr>[^ ]+) - (?<remote_user>[^ ]+) \\[(?<time_local>[^\\]]+)\\] \"(?<request>[^\"]*)\" "
    "(?<status>\\d+) "
    "(?<body_bytes_sent>\\d+) \"(?<http_referer>[^\"]*)\" \"(?<http_user_agent>[^\"]*)\"$";

void BM_RegexBare(benchmark::State& state) {
  const Lines lines = nginx_lines();
  int error = 0;
  PCRE2_SIZE at = 0;
  pcre2_code* const code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(kNginxPattern), PCRE2_ZERO_TERMINATED,
                                         0, &error, &at, nullptr);
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
  pcre2_match_data* const data = pcre2_match_data_create_from_pattern(code, nullptr);
  for (auto _ : state) {
    std::size_t bytes = 0;
    for (const std::string_view line : lines.lines) {
      if (pcre2_jit_match(code, reinterpret_cast<PCRE2_SPTR>(line.data()), line.size(), 0, 0, data, nullptr) <
          0)
        continue;
      bytes += pcre2_get_ovector_pointer(data)[17];
    }
    benchmark::DoNotOptimize(bytes);
  }
  pcre2_match_data_free(data);
  pcre2_code_free(code);
  report(state, lines);
}
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
