#include "detect/events.h"

#include <algorithm>
#include <array>
#include <utility>

#include "multiline/event_rules.h"

namespace logflume {
namespace {

constexpr std::array<std::pair<MultilinePreset, std::string_view>, 8> kPresets = {
    {{MultilinePreset::kJava, "java"},
     {MultilinePreset::kPython, "python"},
     {MultilinePreset::kGo, "go"},
     {MultilinePreset::kNode, "node"},
     {MultilinePreset::kDotnet, "dotnet"},
     {MultilinePreset::kRuby, "ruby"},
     {MultilinePreset::kPhp, "php"},
     {MultilinePreset::kRust, "rust"}}};

constexpr std::array<std::string_view, 6> kStarts = {
    R"(^\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:)",
    R"(^\d+:[XCSM] \d)",
    R"(^\[?[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:)",
    R"(^[A-Z][a-z]{2} [ \d]\d \d\d:)",
    R"(^\[?(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)\b)",
    R"(^\[?\d\d:\d\d:\d\d)"};

std::string_view name_of(MultilineInside inside) {
  return inside == MultilineInside::kNothing ? "" : inside == MultilineInside::kCri ? "cri" : "docker";
}

// What an indented line, and nothing else, belongs to.
constexpr std::string_view kIndentation = R"(^\S)";

EventCut cut_by(const LogSample& sample, const MultilineConfig& config) {
  EventCut cut;
  auto rules = EventRules::compile(config);
  if (!rules) return cut;
  EventRules::Open open;
  EventRules::Ends ends;
  const std::string_view text = sample.text();
  const std::size_t rest = rules->find_ends(text, open, ends);
  const auto add = [&](std::size_t begin, std::size_t end) {
    std::string_view event = text.substr(begin, end - begin);
    if (event.ends_with('\n')) event.remove_suffix(1);
    if (sample.strips_cr() && event.ends_with('\r')) event.remove_suffix(1);
    if (!event.empty()) cut.events.push_back(event);
  };
  std::size_t begin = 0;
  for (const std::uint32_t end : ends.at) {
    const std::size_t next = std::min<std::size_t>(end + 1, text.size());
    add(begin, next);
    begin = next;
  }
  add(rest, text.size());
  return cut;
}

EventCut cut_by_start(const LogSample& sample, std::string_view pattern,
                      MultilineInside inside = MultilineInside::kNothing) {
  MultilineConfig config;
  config.start_pattern = pattern;
  config.inside = inside;
  EventCut cut = cut_by(sample, config);
  cut.start_pattern = pattern;
  return cut;
}

}  // namespace

EventCut cut_at_lines(const LogSample& sample) { return {{}, {}, {}, sample.lines()}; }

EventCut cut_at_lines_inside(const LogSample& sample, MultilineInside inside) {
  MultilineConfig config;
  config.preset = inside == MultilineInside::kCri ? MultilinePreset::kCri : MultilinePreset::kDocker;
  EventCut cut = cut_by(sample, config);
  cut.preset = name_of(inside);
  return cut;
}

std::vector<EventCut> cut_by_presets(const LogSample& sample, MultilineInside inside) {
  const std::size_t known = cut_by_start(sample, kIndentation, inside).events.size();
  std::vector<EventCut> cuts;
  for (const auto& [preset, name] : kPresets) {
    MultilineConfig config;
    config.preset = preset;
    config.inside = inside;
    EventCut cut = cut_by(sample, config);
    if (cut.events.size() >= known) continue;
    cut.preset = name;
    cut.inside = name_of(inside);
    cuts.push_back(std::move(cut));
  }
  return cuts;
}

std::vector<EventCut> cut_by_starts(const LogSample& sample) {
  std::vector<EventCut> cuts;
  cuts.reserve(kStarts.size() + 1);
  for (const std::string_view pattern : kStarts) cuts.push_back(cut_by_start(sample, pattern));
  cuts.push_back(cut_by_start(sample, kIndentation));
  return cuts;
}

EventCut cut_plain_text(const LogSample& sample) {
  std::vector<EventCut> presets = cut_by_presets(sample);
  const auto fewest =
      std::ranges::min_element(presets, {}, [](const EventCut& cut) { return cut.events.size(); });
  if (fewest != presets.end()) return std::move(*fewest);
  EventCut indented = cut_by_start(sample, kIndentation);
  return indented.events.size() < sample.lines().size() ? indented : cut_at_lines(sample);
}

}  // namespace logflume
