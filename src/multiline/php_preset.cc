// PHP's stack traces.
//
// PHP Fatal error:  Uncaught RuntimeException: no such order in /srv/orders.php:12
// Stack trace:
// #0 /srv/index.php(7): place(17)
// #1 {main}
//
// Next LogicException: cannot place order in /srv/orders.php:19
// Stack trace:
// #0 {main}
//   thrown in /srv/orders.php on line 19
#include "multiline/preset_parts.h"

namespace logflume {
namespace {

enum : std::uint8_t { kBehindBlank = kFirstOwnPlace };

bool is_trace_head(std::string_view line) {
  return starts_with_any(line, "Stack trace:", "[stacktrace]", "[previous exception]");
}
bool is_frame(std::string_view line) { return line.size() > 1 && line[0] == '#' && is_digit(line[1]); }

PresetStep first(PresetState& state, std::string_view line) {
  return is_trace_head(line) || is_frame(line) ? go_to(state, kFrames) : begin_plain(state, line);
}

PresetStep next(PresetState& state, std::string_view line) {
  line = without_cr(line);
  if (line.empty()) return state.place == kFrames ? go_to(state, kBehindBlank) : kBegins;
  if (is_indented(line)) {
    if (unindented(line).starts_with("thrown in ")) state.place = kPlain;
    return kContinues;
  }
  if (is_trace_head(line)) return go_to(state, kFrames);
  if (state.place == kFrames) {
    if (is_frame(line)) return kContinues;
    if (line.starts_with("\"}")) return go_to(state, kPlain);  // of the context in which a logger has put it
  }
  if (state.place == kBehindBlank && line.starts_with("Next ")) return go_to(state, kThrown);
  return kBegins;
}

}  // namespace

const PresetRules kPhpRules{first, next, true, {}};

}  // namespace logflume
