#include "multiline/line_marker.h"

#include <cstring>

#include "event/newlines.h"

namespace logflume {

LineMarker::LineMarker(const MultilineConfig& config) {
  if (config.wrapper() != MultilineInside::kNothing) return;  // their first bytes say nothing
  if (config.preset != MultilinePreset::kNone) {
    const PresetRules& rules = preset_rules(config.preset);
    for (unsigned char c = '0'; rules.digit_begins && c <= '9'; ++c) by_byte_[c] = LineMark::kBegins;
    if (rules.frame.empty()) return;
    frame_ = 0;
    std::memcpy(&frame_, rules.frame.data(), rules.frame.size());
    std::memset(&frame_mask_, 0xFF, rules.frame.size());
    return;
  }
  // Where patterns work together each line is asked for all of them.
  const bool begins = !config.start_pattern.empty();
  if (!config.end_pattern.empty() || begins == !config.continue_pattern.empty()) return;
  head_ = HeadPattern::of(begins ? config.start_pattern : config.continue_pattern);
  by_answer_[static_cast<std::size_t>(HeadPattern::Answer::kYes)] =
      begins ? LineMark::kBegins : LineMark::kContinues;
  by_answer_[static_cast<std::size_t>(HeadPattern::Answer::kNo)] =
      begins ? LineMark::kContinues : LineMark::kBegins;
}

inline LineMark LineMarker::by_pattern(std::string_view text, std::size_t begin, std::size_t end) const {
  const bool has_room = text.size() - begin >= HeadPattern::kBytes && end < text.size();
  const HeadPattern::Answer answer =
      has_room ? head_.look_ahead(text.data() + begin) : head_.look(text.substr(begin, end - begin));
  return by_answer_[static_cast<std::size_t>(answer)];
}

// A frame has no newline in it: a line that is shorter is none.
inline LineMark LineMarker::by_preset(std::string_view text, std::size_t begin, std::size_t end) const {
  std::uint64_t head = 0;
  if (text.size() - begin >= sizeof head) [[likely]] {
    std::memcpy(&head, text.data() + begin, sizeof head);
  } else {
    std::memcpy(&head, text.data() + begin, end - begin);
  }
  const LineMark mark = by_byte_[static_cast<unsigned char>(text[begin])];
  return (head & frame_mask_) == frame_ ? LineMark::kContinues : mark;
}

void LineMarker::mark(std::string_view text, std::size_t begin, std::size_t from, std::size_t to,
                      LineMarks& lines) const {
  index_newlines(text.substr(from, to - from), lines.ends);
  lines.marks.resize(lines.ends.size());
  LineMark* mark = lines.marks.data();
  const bool has_pattern = !head_.is_void();
  for (std::uint32_t& end : lines.ends) {
    end += static_cast<std::uint32_t>(from);
    *mark++ = has_pattern ? by_pattern(text, begin, end) : by_preset(text, begin, end);
    begin = std::size_t{end} + 1;
  }
}

}  // namespace logflume
