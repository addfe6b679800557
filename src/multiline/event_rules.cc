#include "multiline/event_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "event/newlines.h"

namespace logflume {
namespace {

Result<void> compile_into(std::optional<LinePattern>& pattern, std::string_view name, std::string_view text) {
  if (text.empty()) return {};
  Result<LinePattern> compiled = LinePattern::compile(text);
  if (!compiled) {
    Error error = std::move(compiled).error();
    error.message = fmt::format("{}: {}", name, error.message);
    return error;
  }
  pattern = std::move(*compiled);
  return {};
}

}  // namespace

Result<EventRules> EventRules::compile(const MultilineConfig& config) {
  EventRules rules;
  if (auto done = compile_into(rules.start_, "start_pattern", config.start_pattern); !done)
    return std::move(done).error();
  if (auto done = compile_into(rules.continue_, "continue_pattern", config.continue_pattern); !done)
    return std::move(done).error();
  if (auto done = compile_into(rules.end_, "end_pattern", config.end_pattern); !done)
    return std::move(done).error();
  if (config.preset != MultilinePreset::kNone) rules.preset_ = &preset_rules(config.preset);
  if (config.max_lines) rules.max_lines_ = *config.max_lines;
  if (config.max_bytes) rules.max_bytes_ = *config.max_bytes;
  return rules;
}

PresetStep EventRules::first(Open& open, std::string_view line) {
  open = {1, {}};
  if (preset_ != nullptr) return preset_->first(open.state, line.substr(0, kHeadBytesMax));
  PresetStep step{true, end_ && end_->matches(line)};
  // What neither begins an event nor goes on with one is one by itself.
  if (start_ && (continue_ || end_) && !start_->matches(line) && !(continue_ && continue_->matches(line)))
    step.ends = true;
  return step;
}

PresetStep EventRules::next(Open& open, std::string_view line) {
  if (preset_ != nullptr) return preset_->next(open.state, line.substr(0, kHeadBytesMax));
  if (start_ && start_->matches(line)) return {false, false};
  if (continue_ && !continue_->matches(line)) return {false, false};
  return {true, end_ && end_->matches(line)};
}

EventRules::Verdict EventRules::judge(Open& open, std::string_view line, std::uint64_t event_bytes) {
  Verdict verdict;
  if (open.lines > 0) {
    const PresetStep step = next(open, line);
    if (step.continues) {
      verdict.cut = open.lines >= max_lines_                 ? Cut::kMaxLines
                    : is_too_long(event_bytes + line.size()) ? Cut::kMaxBytes
                                                             : Cut::kNone;
      if (verdict.cut == Cut::kNone) {
        ++open.lines;
        verdict.over_behind = step.ends;
        return verdict;
      }
    }
    verdict.over_before = true;
  }
  verdict.over_behind = first(open, line).ends;
  return verdict;
}

std::size_t EventRules::find_ends(std::string_view lines, Open& open, Ends& ends) {
  ends.clear();
  open = {};
  index_newlines(lines, newlines_);
  const bool last_is_open = !lines.empty() && lines.back() != '\n';
  if (last_is_open) newlines_.push_back(static_cast<std::uint32_t>(lines.size()));
  std::size_t event = 0;
  std::size_t begin = 0;
  for (const std::uint32_t end : newlines_) {
    const Verdict verdict = judge(open, lines.substr(begin, end - begin), begin - event);
    if (verdict.over_before) {
      if (verdict.cut != Cut::kNone) ends.cuts.push_back({ends.at.size(), verdict.cut});
      ends.at.push_back(static_cast<std::uint32_t>(begin - 1));
      event = begin;
    }
    begin = std::size_t{end} + 1;
    if (verdict.over_behind) {
      ends.at.push_back(end);
      event = std::min(begin, lines.size());
      open = {};
    }
  }
  return event;
}

std::optional<EventRules::GaveUp> EventRules::take_gave_up() {
  const std::pair<const char*, std::optional<LinePattern>*> patterns[] = {
      {"start_pattern", &start_}, {"continue_pattern", &continue_}, {"end_pattern", &end_}};
  for (const auto& [name, pattern] : patterns) {
    if (!*pattern) continue;
    if (const std::uint64_t lines = (*pattern)->take_gave_up(); lines > 0) return GaveUp{name, lines};
  }
  return {};
}

}  // namespace logflume
