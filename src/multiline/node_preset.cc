// The stack traces of Node.js.
//
// /srv/orders.js:7
//     throw new Error('no such order');
//     ^
//
// Error: no such order
//     at place (/srv/orders.js:7:11) {
//   code: 'ENOORDER',
//   [cause]: Error: ...
// }
//
// Node.js v18.19.0
#include "multiline/preset_parts.h"

namespace logflume {
namespace {

enum : std::uint8_t { kCodeNext = kFirstOwnPlace, kCaretNext, kBehindCaret, kErrorNext, kBehindBlank };

constexpr std::uint32_t kUncaught = 1;  // a mark: the version comes last
constexpr HeaderSyntax kHeader{"$", "[]"};

bool is_location(std::string_view line) {
  return starts_with_any(line, "/", "file:///", "node:", "internal/") && ends_in_line_number(line);
}
bool is_caret(std::string_view line) {
  const std::string_view text = unindented(line);
  return text.starts_with('^') && text.find_first_not_of('^') == text.npos;
}
bool is_header(std::string_view line) {
  return line.starts_with("Uncaught ") || is_exception_header(line, kHeader);
}

PresetStep first(PresetState& state, std::string_view line) {
  line = without_cr(line);
  if (is_location(line)) {
    state.mark = kUncaught;
    return go_to(state, kCodeNext);
  }
  return is_header(line) ? go_to(state, kThrown) : begin_plain(state, line);
}

PresetStep next(PresetState& state, std::string_view line) {
  line = without_cr(line);
  const unsigned place = state.place;
  if (line.empty()) {
    if (place == kBehindCaret) return go_to(state, kErrorNext);
    return place == kFrames && state.mark == kUncaught ? go_to(state, kBehindBlank) : kBegins;
  }
  if (place == kCodeNext) return go_to(state, kCaretNext);
  if (place == kCaretNext && is_caret(line)) return go_to(state, kBehindCaret);
  if (is_indented(line)) return unindented(line).starts_with("at ") ? go_to(state, kFrames) : kContinues;
  // What was thrown may be anything.
  if (place == kErrorNext && !is_log_record(line)) return go_to(state, kThrown);
  if ((place == kRecord || place == kErrorNext) && is_header(line)) return go_to(state, kThrown);
  if (place == kThrown && starts_with_any(line, "Require stack:", "- ")) return kContinues;
  if (place == kFrames && starts_with_any(line, "}", "Emitted '")) return kContinues;
  if (place == kThrown || place == kFrames || place == kBehindBlank) {
    if (starts_with_any(line, "Caused by", "caused by", "Thrown at:")) return go_to(state, kThrown);
    if (line.starts_with("(Use `node --trace")) return go_to(state, kFrames);
  }
  if (place == kBehindBlank && line.starts_with("Node.js v")) return go_to(state, kPlain);
  return kBegins;
}

}  // namespace

const PresetRules kNodeRules{first, next, true, "    at "};

}  // namespace logflume
