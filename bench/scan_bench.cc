// Question: how far from the speed of the cache are the loops that touch every byte of a log: indexing where
// lines end, and turning lines into JSON? (`logflume lab scan` compares the newline kernels.)
//
// Method: one slab's worth of text, which stays in L2 as it does between a read and its scan. memcpy stands
// beside them as what one would get for nothing.
#include <benchmark/benchmark.h>

#include <cstring>
#include <random>
#include <string>

#include "event/newlines.h"
#include "sink/encode.h"
#include "sink/json_escape.h"

namespace logflume {
namespace {

constexpr std::size_t kTextBytes = SlabPool::kSlabBytes;

// Lines of `line_bytes` on average, half to one and a half of it, so that a branch predictor learns nothing.
std::string lines_of(std::size_t line_bytes, std::string_view content) {
  std::mt19937 random(1);
  std::string text;
  while (text.size() < kTextBytes) {
    const std::size_t bytes = line_bytes / 2 + random() % line_bytes;
    std::string line;
    while (line.size() < bytes) line += content;
    // Whole UTF-8 characters only.
    std::size_t cut = bytes;
    while (cut < line.size() && (line[cut] & 0xC0) == 0x80) ++cut;
    text.append(line, 0, cut) += '\n';
  }
  return text;
}

constexpr std::string_view kAscii =
    "2026-11-23T07:36:54.123Z INFO worker-3 request served path=/api/v1/items status=200 ";
constexpr std::string_view kJson =
    R"({"ts":"2026-11-23T07:36:54Z","level":"info","msg":"served","status":200} )";
constexpr std::string_view kCyrillic = "2026-11-23 служба запущена, задание выполнено ";
constexpr std::string_view kLatin1 =
    "2026-11-23 caf\xE9 ferm\xE9, t\xE2"
    "che termin\xE9"
    "e ";

void report(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

void BM_IndexNewlinesIntoVector(benchmark::State& state) {
  const std::string text = lines_of(static_cast<std::size_t>(state.range(0)), kAscii);
  std::vector<std::uint32_t> positions;
  for (auto _ : state) {
    index_newlines(text, positions);
    benchmark::DoNotOptimize(positions.data());
  }
  report(state, text.size());
}
BENCHMARK(BM_IndexNewlinesIntoVector)->ArgName("line_bytes")->Arg(20)->Arg(200)->Arg(512);

void BM_FindLongLine(benchmark::State& state) {
  const std::string text = lines_of(200, kAscii);
  const auto max_bytes = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(find_long_line(text, max_bytes));
  report(state, text.size());
}
BENCHMARK(BM_FindLongLine)->ArgName("max_line_bytes")->Arg(1024)->Arg(65536)->Arg(1 << 20);

void BM_Memcpy(benchmark::State& state) {
  const std::string text = lines_of(200, kAscii);
  std::string copy(text.size(), '\0');
  for (auto _ : state) {
    std::memcpy(copy.data(), text.data(), text.size());
    benchmark::ClobberMemory();
  }
  report(state, text.size());
}
BENCHMARK(BM_Memcpy);

void BM_JsonEscapeKernel(benchmark::State& state, const JsonEscapeKernel& kernel, std::string_view content) {
  const std::string text = lines_of(200, content);
  std::string out(JsonEscapeKernel::kExpansionMax * 1024 + JsonEscapeKernel::kSlackBytes, '\0');
  for (auto _ : state) {
    for (std::size_t at = 0; at < text.size(); at += 512) {
      benchmark::DoNotOptimize(kernel.escape_all(std::string_view(text).substr(at, 512), out.data()));
    }
    benchmark::ClobberMemory();
  }
  report(state, text.size());
}

// What a sink does with a batch: bytes are those of the lines, not of the output.
void BM_EncodeBatch(benchmark::State& state, Encoding encoding, bool strip_cr, std::string_view content) {
  const std::string text = lines_of(static_cast<std::size_t>(state.range(0)), content);
  Batch batch;
  batch.data = text.data();
  batch.bytes = text.size();
  batch.events = static_cast<std::uint32_t>(count_newlines(text));
  batch.strip_cr = strip_cr;
  batch.origin = std::make_shared<Origin>(Origin{"app", "/var/log/app/server.log", 1});
  batch.wall_ns = 1'700'000'000'123'456'789;
  SinkConfig config;
  config.encoding = encoding;
  config.labels = {{"env", "prod"}};
  BatchEncoder encoder(config, "host-17");
  std::string out;
  for (auto _ : state) {
    out.clear();
    encoder.append(batch, out);
    benchmark::DoNotOptimize(out.data());
  }
  report(state, text.size());
  state.counters["out_bytes_per_in"] = static_cast<double>(out.size()) / static_cast<double>(text.size());
}
BENCHMARK_CAPTURE(BM_EncodeBatch, json_ascii, Encoding::kJson, false, kAscii)
    ->ArgName("line_bytes")
    ->Arg(200)
    ->Arg(512);
BENCHMARK_CAPTURE(BM_EncodeBatch, json_of_json, Encoding::kJson, false, kJson)
    ->ArgName("line_bytes")
    ->Arg(200);
BENCHMARK_CAPTURE(BM_EncodeBatch, json_cyrillic, Encoding::kJson, false, kCyrillic)
    ->ArgName("line_bytes")
    ->Arg(200);
BENCHMARK_CAPTURE(BM_EncodeBatch, json_latin1, Encoding::kJson, false, kLatin1)
    ->ArgName("line_bytes")
    ->Arg(200);
BENCHMARK_CAPTURE(BM_EncodeBatch, raw, Encoding::kRaw, false, kAscii)->ArgName("line_bytes")->Arg(200);
BENCHMARK_CAPTURE(BM_EncodeBatch, raw_strip_cr, Encoding::kRaw, true, kAscii)
    ->ArgName("line_bytes")
    ->Arg(200);

const bool kRegistered = [] {
  for (const JsonEscapeKernel& kernel : json_escape_kernels()) {
    if (!kernel.supported) continue;
    const std::string name(kernel.name);
    benchmark::RegisterBenchmark(("BM_JsonEscape/ascii/" + name).c_str(), BM_JsonEscapeKernel, kernel,
                                 kAscii);
    benchmark::RegisterBenchmark(("BM_JsonEscape/json/" + name).c_str(), BM_JsonEscapeKernel, kernel, kJson);
  }
  return true;
}();

}  // namespace
}  // namespace logflume
