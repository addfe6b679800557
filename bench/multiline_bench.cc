// Question: what does it cost to know which lines are one event, beside knowing where lines end, and what is
// won by looking at their first bytes before PCRE2 is asked?
//
// Method: four slabs' worth of an application's log of Java, a quarter of its events with a stack trace, in
// random order, so that a branch predictor does not learn it. They stay in L2, as a slab does between a read
// and its scan. `by_pcre2` has the same pattern in a form that is not understood. `inside_...`: its lines
// stand in those of a container's log.
#include <benchmark/benchmark.h>

#include <array>
#include <random>
#include <string>
#include <vector>

#include "event/newlines.h"
#include "event/slab.h"
#include "generate/line_source.h"
#include "multiline/event_rules.h"

namespace logflume {
namespace {

using Texts = std::array<std::string, 4>;

// The lines of a text, with what runtimes of containers write around them.
std::string wrapped(std::string_view text, MultilineInside inside) {
  std::string made;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    if (inside == MultilineInside::kCri) {
      made.append("2026-01-02T03:04:05.678901234Z stdout F ").append(line).append("\n");
      continue;
    }
    made += R"({"log":")";
    for (const char c : line) {
      if (c == '"' || c == '\\') made += '\\';
      made.append(c == '\t' ? "\\t" : std::string(1, c));
    }
    made.append(R"(\n","stream":"stdout","time":"2026-01-02T03:04:05.678901234Z"})").append("\n");
  }
  return made;
}

template <MultilineInside kInside>
const Texts& java_log() {
  static const Texts texts = [] {
    const auto templates = *LineTemplates::make(LineFormat::kJava, 4, 0, 1);
    std::vector<std::string> events;
    for (const LineTemplates::Line& line : templates->lines()) {
      if (line.starts_event) events.emplace_back();
      events.back().append(templates->text(line), line.size);
    }
    std::mt19937 random(1);
    Texts made;
    for (std::string& text : made) {
      while (text.size() < SlabPool::kSlabBytes) text += events[random() % events.size()];
      if (kInside != MultilineInside::kNothing) text = wrapped(text, kInside);
    }
    return made;
  }();
  return texts;
}

template <typename Scan>
void scan_slabs(benchmark::State& state, Scan scan,
                const Texts& texts = java_log<MultilineInside::kNothing>()) {
  std::size_t next = 0, bytes = 0;
  for (auto _ : state) {
    const std::string& text = texts[next++ % texts.size()];
    scan(text);
    bytes += text.size();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}

void BM_CountNewlines(benchmark::State& state) {
  scan_slabs(state, [](const std::string& text) { benchmark::DoNotOptimize(count_newlines(text)); });
}
BENCHMARK(BM_CountNewlines);

void BM_IndexNewlines(benchmark::State& state) {
  std::vector<std::uint32_t> positions;
  scan_slabs(state, [&](const std::string& text) {
    index_newlines(text, positions);
    benchmark::DoNotOptimize(positions.data());
  });
}
BENCHMARK(BM_IndexNewlines);

void BM_FindEnds(benchmark::State& state, const MultilineConfig& config) {
  auto rules = EventRules::compile(config);
  EventRules::Open open;
  EventRules::Ends ends;
  const Texts& texts = config.wrapper() == MultilineInside::kDocker ? java_log<MultilineInside::kDocker>()
                       : config.wrapper() == MultilineInside::kCri  ? java_log<MultilineInside::kCri>()
                                                                    : java_log<MultilineInside::kNothing>();
  const auto scan = [&](const std::string& text) {
    rules->find_ends(text, open, ends);
    benchmark::DoNotOptimize(ends.at.data());
  };
  scan_slabs(state, scan, texts);
}

void BM_Mark(benchmark::State& state, const MultilineConfig& config) {
  const LineMarker marker(config);
  LineMarks lines;
  scan_slabs(state, [&](const std::string& text) {
    marker.mark(text, 0, 0, text.size(), lines);
    benchmark::DoNotOptimize(lines.marks.data());
  });
}

MultilineConfig starting_with(const char* pattern) {
  MultilineConfig config;
  config.start_pattern = pattern;
  return config;
}
MultilineConfig java(MultilineInside inside = MultilineInside::kNothing) {
  MultilineConfig config;
  config.preset = MultilinePreset::kJava;
  config.inside = inside;
  return config;
}
BENCHMARK_CAPTURE(BM_Mark, preset_java, java());
BENCHMARK_CAPTURE(BM_Mark, start_year, starting_with(R"(^\d{4}-)"));
BENCHMARK_CAPTURE(BM_FindEnds, preset_java, java());
BENCHMARK_CAPTURE(BM_FindEnds, inside_cri, java(MultilineInside::kCri));
BENCHMARK_CAPTURE(BM_FindEnds, inside_docker, java(MultilineInside::kDocker));
BENCHMARK_CAPTURE(BM_FindEnds, start_year, starting_with(R"(^\d{4}-)"));
BENCHMARK_CAPTURE(BM_FindEnds, start_year_by_pcre2, starting_with(R"((?-i)^\d{4}-)"));
BENCHMARK_CAPTURE(BM_FindEnds, start_time, starting_with(R"(^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ [A-Z]+ )"));
BENCHMARK_CAPTURE(BM_FindEnds, start_time_by_pcre2,
                  starting_with(R"((?-i)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ [A-Z]+ )"));
BENCHMARK_CAPTURE(BM_FindEnds, start_unanchored, starting_with(R"( (INFO|ERROR) +\[)"));

}  // namespace
}  // namespace logflume
