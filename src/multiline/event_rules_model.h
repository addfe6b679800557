// The rules of `multiline` as the documentation tells them, line by line and without regard to speed: what
// EventRules, the file source and the fuzzers are compared with.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/regex.h"
#include "multiline/event_rules.h"
#include "parse/json_members.h"

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
    joins_parts_only_ = config_.preset == MultilinePreset::kCri || config_.preset == MultilinePreset::kDocker;
    if (joins_parts_only_) return;
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
    std::string text;
    std::string stream;
    bool goes_on = false;
  };
  Content content_of(std::string_view line) {
    const std::string_view head = line.substr(0, EventRules::kHeadBytesMax);
    std::optional<Content> found;
    if (config_.wrapper() == MultilineInside::kCri) found = cri_content(head);
    if (config_.wrapper() == MultilineInside::kDocker) found = docker_content(head);
    return found.value_or(Content{std::string(head), {}});
  }
  std::optional<Content> cri_content(std::string_view line) {
    const std::size_t time = line.find(' ');
    if (time == line.npos) return {};
    const std::string_view stream = line.substr(time + 1, 6);
    const std::string_view flag = line.substr(std::min(time + 7, line.size()), 2);
    if ((stream != "stdout" && stream != "stderr") || (flag != " P" && flag != " F")) return {};
    const std::string_view rest = line.substr(time + 9);
    if (!rest.empty() && rest[0] != ' ' && rest[0] != ':') return {};
    const std::size_t tags = rest.find(' ');
    return Content{std::string(tags == rest.npos ? "" : rest.substr(tags + 1)), std::string(stream),
                   flag == " P"};
  }
  // As a parser of JSON reads it.
  std::optional<Content> docker_content(std::string_view line) {
    std::string padded(line);
    padded.resize(line.size() + 64, '"');
    Columns columns;
    columns.begin(std::string_view(padded).substr(0, line.size()), 1);
    json_->begin(columns);
    FoundFields fields;
    if (json_->parse(columns.events_text(), fields) != ParseFault::kNone) return {};
    std::array<std::string_view, kDockerMembers.size()> texts;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const JsonMembers::Value& value = json_->taken(i);
      if (value.kind != ValueKind::kString) return {};
      texts[i] = columns.text(value.slot.text);
    }
    if (texts[1] != "stdout" && texts[1] != "stderr") return {};
    const bool goes_on = !texts[0].ends_with('\n');
    if (!goes_on) texts[0].remove_suffix(1);
    return Content{std::string(texts[0]), std::string(texts[1]), goes_on};
  }
  static std::optional<Regex> compile(const std::string& pattern) {
    if (pattern.empty()) return {};
    return std::move(*Regex::compile(pattern));
  }
  bool found(const std::optional<Regex>& pattern, std::string_view line) {
    return pattern &&
           pattern->search(line.substr(0, LinePattern::kHeadBytesMax), scratch_) == Regex::Answer::kYes;
  }

  // What the rules of a preset are is told by samples of traces: here they are taken as they are.
  bool continues(std::string_view line, EventRules::Open open) {
    if (joins_parts_only_) return false;
    if (preset_) return !preset_->judge(open, line, 0).over_before;
    if (found(start_, line)) return false;
    return !continue_ || found(continue_, line);
  }

  bool closes(std::string_view line, bool is_first, EventRules::Open& open) {
    if (joins_parts_only_) return true;
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
  bool joins_parts_only_ = false;  // a preset by which each line of a container is an event

  static constexpr std::array<std::string_view, 3> kDockerMembers = {"log", "stream", "time"};
  const WantedFields no_fields_{false, {}};
  std::unique_ptr<JsonMembers> json_ = std::make_unique<JsonMembers>(no_fields_, 1, kDockerMembers);
};

}  // namespace logflume
