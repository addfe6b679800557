// Question: what does a look for what must not be seen cost beside a look at the text alone?
//
// Method: one slab of lines, which stays in L2; all detectors over all lines at once, over each line by
// itself as fields of events are, and with what was found written over. Beside them the newline count of the
// same text, and the prefilter alone.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "event/newlines.h"
#include "event/slab.h"
#include "redact/prefilter.h"
#include "redact/redactor.h"

namespace logflume {
namespace {

constexpr std::size_t kTextBytes = SlabPool::kSlabBytes;

// Some 210 B, nothing to find.
std::string app_lines() {
  std::mt19937 random(1);
  std::string text;
  while (text.size() < kTextBytes) {
    text += "2026-11-23T07:36:54." + std::to_string(100 + random() % 900) + "Z " +
            (random() % 5 == 0 ? "ERROR" : "INFO") + " [worker-" + std::to_string(random() % 32) +
            "] com.example.orders.OrderService - request served to the client in time path=/api/v1/items/" +
            std::to_string(random() % 100000) + " status=200 duration_ms=" + std::to_string(random() % 1000) +
            "." + std::to_string(random() % 10) + " trace_id=4bf92f3577b34da6a3ce929d0e0e" +
            std::to_string(1000 + random() % 9000) + "\n";
  }
  return text;
}

// Some 320 B; in each hundredth an address of e-mail.
std::string json_lines() {
  std::mt19937 random(1);
  std::string text;
  while (text.size() < kTextBytes) {
    text += R"({"timestamp":"2026-11-23T07:36:54.)" + std::to_string(100 + random() % 900) +
            R"(Z","level":")" + (random() % 5 == 0 ? "ERROR" : "INFO") +
            R"(","logger":"com.example.orders.OrderService","thread":"worker-)" +
            std::to_string(random() % 32) + R"(","trace_id":"4bf92f3577b34da6a3ce929d0e0e)" +
            std::to_string(1000 + random() % 9000) + R"(","user":")" +
            (random() % 100 == 0 ? "ann@example.com" : std::to_string(random())) + R"(","duration_ms":)" +
            std::to_string(random() % 1000) + "." + std::to_string(random() % 10) +
            R"(,"cached":false,"request":{"method":"GET","path":"/api/v1/items"},"status":200,)"
            R"("message":"request served to the client in time"})"
            "\n";
  }
  return text;
}

// Some 210 B, an address of IPv4 in each.
std::string nginx_lines() {
  std::mt19937 random(1);
  std::string text;
  while (text.size() < kTextBytes) {
    text +=
        "203.0.113." + std::to_string(random() % 256) +
        " - - [23/Nov/2026:07:36:" + std::to_string(10 + random() % 50) + " +0000] \"GET /api/v1/items/" +
        std::to_string(random() % 100000) + "?page=" + std::to_string(random() % 50) + " HTTP/1.1\" " +
        (random() % 20 == 0 ? "404" : "200") + " " + std::to_string(random() % 50000) +
        " \"https://shop.example/\" \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/120.0.0.0 Safari/537.36\"\n";
  }
  return text;
}

using Lines = std::string (*)();

Redactor redactor_of(RedactAction action, const std::vector<RedactPattern>& patterns = {}) {
  RedactorConfig config;
  config.detect = {Detector::kCreditCard, Detector::kEmail, Detector::kIpv4,
                   Detector::kIpv6,       Detector::kToken, Detector::kKey};
  config.action = action;
  config.patterns = patterns;
  config.hash_key = "0123456789abcdef";
  return std::move(*Redactor::compile(config));
}

void report(benchmark::State& state, const std::string& text) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

void BM_CountNewlines(benchmark::State& state, Lines lines) {
  const std::string text = lines();
  for (auto _ : state) benchmark::DoNotOptimize(count_newlines(text));
  report(state, text);
}

void BM_Prefilter(benchmark::State& state, Lines lines, const redact::PrefilterKernel& kernel) {
  const std::string text = lines();
  double places = 0;
  for (auto _ : state) {
    redact::CandidateScan scan(text, kernel);
    std::size_t base = 0, count = 0;
    redact::Candidates found{};
    while (scan.next(base, found)) ++count;
    benchmark::DoNotOptimize(count);
    places = static_cast<double>(count);
  }
  state.counters["blocks_of_1000"] =
      1000 * places / (static_cast<double>(text.size()) / static_cast<double>(redact::kBlockBytes));
  report(state, text);
}

void BM_FindInLines(benchmark::State& state, Lines lines, const Redactor& redactor) {
  const std::string text = lines();
  RedactScratch scratch;
  std::vector<Finding> found;
  for (auto _ : state) benchmark::DoNotOptimize(redactor.find_in_lines(text, found, scratch));
  state.counters["found"] = static_cast<double>(found.size());
  report(state, text);
}

void BM_FindInEachLine(benchmark::State& state, Lines lines, const Redactor& redactor) {
  const std::string text = lines();
  std::vector<std::uint32_t> ends;
  index_newlines(text, ends);
  RedactScratch scratch;
  std::vector<Finding> found;
  for (auto _ : state) {
    std::size_t begin = 0;
    for (const std::uint32_t end : ends) {
      benchmark::DoNotOptimize(
          redactor.find(std::string_view(text).substr(begin, end - begin), found, scratch));
      begin = end + 1;
    }
  }
  report(state, text);
}

void BM_Rewrite(benchmark::State& state, Lines lines, const Redactor& redactor) {
  const std::string text = lines();
  RedactScratch scratch;
  std::vector<Finding> found;
  std::string out;
  for (auto _ : state) {
    out.clear();
    if (redactor.find_in_lines(text, found, scratch)) redactor.rewrite(text, found, out, scratch);
    benchmark::DoNotOptimize(out.data());
  }
  report(state, text);
}

const bool kRegistered = [] {
  static const Redactor replace = redactor_of(RedactAction::kReplace),
                        mask = redactor_of(RedactAction::kMask), hash = redactor_of(RedactAction::kHash),
                        own = redactor_of(RedactAction::kReplace, {{"order", "\\border-\\d{6}\\b"}});
  for (const auto& [name, lines] :
       {std::pair<std::string, Lines>{"app", app_lines}, {"json", json_lines}, {"nginx", nginx_lines}}) {
    const auto add = [&name = name](const char* what, auto function, auto... arguments) {
      benchmark::RegisterBenchmark(("BM_" + std::string(what) + "/" + name).c_str(), function, arguments...);
    };
    add("CountNewlines", BM_CountNewlines, lines);
    for (const redact::PrefilterKernel& kernel : redact::prefilter_kernels()) {
      if (kernel.supported)
        add(("Prefilter_" + std::string(kernel.name)).c_str(), BM_Prefilter, lines, kernel);
    }
    const auto with = [&](const char* what, auto function, const Redactor& redactor) {
      benchmark::RegisterBenchmark(("BM_" + std::string(what) + "/" + name).c_str(),
                                   [function, lines = lines, &redactor](benchmark::State& state) {
                                     function(state, lines, redactor);
                                   });
    };
    with("FindInLines", BM_FindInLines, replace);
    with("FindInEachLine", BM_FindInEachLine, replace);
    with("FindWithOwnPattern", BM_FindInLines, own);
    with("Replace", BM_Rewrite, replace);
    with("Mask", BM_Rewrite, mask);
    with("Hash", BM_Rewrite, hash);
  }
  return true;
}();

}  // namespace
}  // namespace logflume
