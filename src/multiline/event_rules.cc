#include "multiline/event_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/cri_line.h"
#include "multiline/preset_parts.h"
#include "parse/docker_line.h"

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
  rules.marker_ = LineMarker(config);
  if (config.max_lines) rules.max_lines_ = *config.max_lines;
  if (config.max_bytes) rules.max_bytes_ = *config.max_bytes;
  rules.wrapper_ = config.wrapper();
  if (rules.wrapper_ == MultilineInside::kDocker)
    rules.scratch_.resize(LinePattern::kHeadBytesMax + kUnescapeSlack);
  rules.has_limits_ = config.max_lines || config.max_bytes;
  return rules;
}

PresetStep EventRules::first(Open& open, std::string_view line) {
  open = {1, {}};
  if (preset_ != nullptr) return preset_->first(open.state, line.substr(0, LinePattern::kHeadBytesMax));
  PresetStep step{true, end_ && end_->matches(line)};
  // What neither begins an event nor goes on with one is one by itself.
  if (start_ && (continue_ || end_) && !start_->matches(line) && !(continue_ && continue_->matches(line)))
    step.ends = true;
  return step;
}

PresetStep EventRules::next(Open& open, std::string_view line) {
  if (preset_ != nullptr) return preset_->next(open.state, line.substr(0, LinePattern::kHeadBytesMax));
  if (start_ && start_->matches(line)) return {false, false};
  if (continue_ && !continue_->matches(line)) return {false, false};
  return {true, end_ && end_->matches(line)};
}

EventRules::Content EventRules::content_of(std::string_view line) {
  line = line.substr(0, kHeadBytesMax);
  const auto stream = [](bool is_stderr) { return is_stderr ? std::uint8_t{2} : std::uint8_t{1}; };
  if (wrapper_ == MultilineInside::kCri) {
    if (const auto cri = cri_line(line)) return {cri->message, stream(cri->is_stderr()), cri->partial};
  } else if (wrapper_ == MultilineInside::kDocker) {
    if (const auto docker = docker_line(line))
      return {unescaped(*docker), stream(docker->is_stderr), docker->partial};
  }
  return {line};
}

// So much of the message as is looked at.
std::string_view EventRules::unescaped(const DockerLine& line) {
  if (!line.has_escapes || preset_ == &kPartsRules) return line.message;
  const char* const end = unescape_json(line.message, scratch_.data(), LinePattern::kHeadBytesMax);
  return {scratch_.data(), static_cast<std::size_t>(end - scratch_.data())};
}

// A part of a line goes with the one before it: what the line is was told by its first part.
PresetStep EventRules::step(Open& open, const Content& content) {
  if (content.stream != open.stream) return {false, false};
  return open.goes_on ? PresetStep{true, open.ends} : next(open, content.text);
}

EventRules::Verdict EventRules::judge(Open& open, std::string_view line, std::uint64_t event_bytes) {
  Verdict verdict;
  const Content content = content_of(line);
  const auto is_over = [&](bool ends) {
    open.stream = content.stream;
    open.goes_on = content.goes_on;
    open.ends = ends;
    return ends && !content.goes_on;
  };
  if (open.lines > 0) {
    const PresetStep step = this->step(open, content);
    if (step.continues) {
      verdict.cut = open.lines >= max_lines_                 ? Cut::kMaxLines
                    : is_too_long(event_bytes + line.size()) ? Cut::kMaxBytes
                                                             : Cut::kNone;
      if (verdict.cut == Cut::kNone) {
        ++open.lines;
        verdict.over_behind = is_over(step.ends);
        return verdict;
      }
    }
    verdict.over_before = true;
  }
  verdict.over_behind = is_over(first(open, content.text).ends);
  return verdict;
}

std::size_t EventRules::find_ends(std::string_view lines, const LineMarks& marked, std::size_t head_bytes,
                                  Open& open, Ends& ends) {
  // Marks of so much text at a time: they stay in L1, and short lines do not make them large.
  constexpr std::size_t kMarkBytes = std::size_t{16} * 1024;
  ends.clear();
  open = {};
  Walk at;
  const std::size_t unmarked = marked.ends.empty() ? lines.size() : head_bytes;
  for (std::size_t from = 0; from < unmarked; from += kMarkBytes) {
    marker_.mark(lines, at.line, from, std::min(from + kMarkBytes, unmarked), marks_);
    walk(lines, marks_, 0, at, open, ends);
  }
  walk(lines, marked, head_bytes, at, open, ends);
  if (at.line < lines.size()) {  // without its newline
    marks_.ends.assign(1, static_cast<std::uint32_t>(lines.size()));
    marks_.marks.assign(1, LineMark::kAsk);
    walk(lines, marks_, 0, at, open, ends);
  }
  return std::min(at.event, lines.size());
}

// `lines` are told by their place behind `from`.
void EventRules::walk(std::string_view text, const LineMarks& lines, std::size_t from, Walk& at, Open& open,
                      Ends& ends) {
  for (std::size_t i = 0; i < lines.ends.size();) {
    const std::size_t run = walk_marked(lines, i, from, at, open, ends);
    i += run;
    if (run > 0) continue;
    const std::size_t begin = at.line;
    const std::size_t end = from + lines.ends[i++];
    at.line = end + 1;
    const Verdict verdict = judge(open, text.substr(begin, end - begin), begin - at.event);
    if (verdict.over_before) {
      if (verdict.cut != Cut::kNone) ends.cuts.push_back({ends.at.size(), verdict.cut});
      ends.at.push_back(static_cast<std::uint32_t>(begin - 1));
      at.event = begin;
    }
    if (verdict.over_behind) {
      ends.at.push_back(static_cast<std::uint32_t>(end));
      at.event = at.line;
      open = {};
    }
  }
}

// The lines from `first` on whose marks decide; how many they are. Whether a line begins an event is hard to
// foretell, so no branch asks: each of them is written down, and the next one over it if it does not.
std::size_t EventRules::walk_marked(const LineMarks& lines, std::size_t first, std::size_t from, Walk& at,
                                    Open& open, Ends& ends) const {
  // A line that began before them was marked by its rest.
  if (at.line < from || open.lines == 0 || open.state.place >= kFirstOwnPlace) return 0;
  const auto begin = lines.marks.begin() + static_cast<std::ptrdiff_t>(first);
  const auto run = static_cast<std::size_t>(std::find(begin, lines.marks.end(), LineMark::kAsk) - begin);
  std::size_t taken = 0;
  std::size_t found = ends.at.size();
  ends.at.resize(found + run);
  for (; taken < run; ++taken) {
    const bool begins = begin[static_cast<std::ptrdiff_t>(taken)] == LineMark::kBegins;
    const std::size_t end = from + lines.ends[first + taken];
    if (has_limits_ && !begins && (open.lines >= max_lines_ || is_too_long(end - at.event))) break;
    ends.at[found] = static_cast<std::uint32_t>(at.line - 1);
    found += begins ? 1 : 0;
    at.event = begins ? at.line : at.event;
    at.line = end + 1;
    open.lines = begins ? 1 : open.lines + 1;
  }
  if (found > ends.at.size() - run) open.state.mark = 0;
  ends.at.resize(found);
  if (taken > 0) {
    const bool begins = begin[static_cast<std::ptrdiff_t>(taken - 1)] == LineMark::kBegins;
    open.state.place = begins ? kRecord : kFrames;
  }
  return taken;
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
