// The rules of `multiline` as the documentation tells them, line by line and without regard to speed: what
// EventRules, the file source and the fuzzers are compared with.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/regex.h"
#include "multiline/event_rules.h"

namespace logflume {

class EventRulesModel {
 public:
  // REQUIRES: patterns that compile.
  explicit EventRulesModel(MultilineConfig config)
      : config_(std::move(config)),
        start_(compile(config_.start_pattern)),
        continue_(compile(config_.continue_pattern)),
        end_(compile(config_.end_pattern)) {
    if (config_.preset == MultilinePreset::kNone) return;
    MultilineConfig unlimited;
    unlimited.preset = config_.preset;  // it is told messages here, so nothing is inside anything
    preset_ = std::move(*EventRules::compile(unlimited));
  }

  // The lines of each event, their newlines too; the last one ends where the text does.
  std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> events;
    std::string event;
    std::uint32_t lines = 0;
    bool closed = true;  // nothing can follow in this event
    EventRules::Open open;
    Content last;
    bool ends = false;  // of the line that goes on
    while (!text.empty()) {
      const std::size_t newline = text.find('\n');
      const std::string_view line = text.substr(0, newline);
      const Content content = content_of(line);
      bool belongs =
          !closed && content.stream == last.stream && (last.goes_on || continues(content.text, open));
      if (belongs && config_.max_lines && lines == *config_.max_lines) belongs = false;
      if (belongs && config_.max_bytes && event.size() + line.size() > *config_.max_bytes) belongs = false;
      if (!belongs) {
        if (lines > 0) events.push_back(event);
        event.clear();
        lines = 0;
      }
      if (!belongs || !last.goes_on) ends = closes(content.text, lines == 0, open);
      closed = ends && !content.goes_on;
      last = content;
      event += text.substr(0, newline == text.npos ? newline : newline + 1);
      text.remove_prefix(std::min(line.size() + 1, text.size()));
      ++lines;
    }
    if (lines > 0) events.push_back(event);
    return events;
  }

 private:
  struct Content {
    std::string_view text;
    std::string_view stream;
    bool goes_on = false;
  };
  Content content_of(std::string_view line) {
    static const Regex cri = std::move(*Regex::compile("^[^ ]* std(out|err) [PF](?:$|[: ])"));
    if (config_.inside == MultilineInside::kNothing || cri.search(line, scratch_) != Regex::Answer::kYes)
      return {line, {}};
    const std::size_t stream = line.find(' ') + 1;
    const std::size_t flag = line.find(' ', stream) + 1;
    const std::size_t end = line.find(' ', flag);
    return {end == line.npos ? "" : line.substr(end + 1), line.substr(stream, flag - stream),
            line[flag] == 'P'};
  }
  static std::optional<Regex> compile(const std::string& pattern) {
    if (pattern.empty()) return {};
    return std::move(*Regex::compile(pattern));
  }
  bool found(const std::optional<Regex>& pattern, std::string_view line) {
    return pattern &&
           pattern->search(line.substr(0, EventRules::kHeadBytesMax), scratch_) == Regex::Answer::kYes;
  }

  // What the rules of a preset are is told by samples of traces: here they are taken as they are.
  bool continues(std::string_view line, EventRules::Open open) {
    if (preset_) return !preset_->judge(open, line, 0).over_before;
    if (found(start_, line)) return false;
    return !continue_ || found(continue_, line);
  }

  bool closes(std::string_view line, bool is_first, EventRules::Open& open) {
    if (preset_) {
      if (is_first) open = {};
      return preset_->judge(open, line, 0).over_behind;
    }
    if (found(end_, line)) return true;
    if (!is_first || !start_ || found(start_, line)) return false;
    return continue_ ? !found(continue_, line) : end_.has_value();
  }

  const MultilineConfig config_;
  const std::optional<Regex> start_;
  const std::optional<Regex> continue_;
  const std::optional<Regex> end_;
  RegexScratch scratch_;
  std::optional<EventRules> preset_;
};

}  // namespace logflume
