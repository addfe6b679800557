// The stack traces of Java and its like (Kotlin, Scala).
//
// com.example.OrderException: order 17 was refused
//     at com.example.Orders.place(Orders.java:81)
//     Suppressed: java.io.IOException: close
//         at ...
// Caused by: java.net.SocketTimeoutException: Read timed out
//     at ...
//     ... 12 more
#include "multiline/preset_parts.h"

namespace logflume {
namespace {

constexpr HeaderSyntax kHeader{"$", ""};
constexpr std::string_view kMainHead = "Exception in thread \"";
constexpr std::string_view kNested = "nested exception is:";

bool is_header(std::string_view line) {
  return line.starts_with(kMainHead) || is_exception_header(line, kHeader);
}
bool is_cause(std::string_view text) {
  return starts_with_any(text, "Caused by:", "Suppressed:", "Wrapped by:");
}
bool is_frame(std::string_view text) { return starts_with_any(text, "at ", "eval at ", "... "); }

PresetStep first(PresetState& state, std::string_view line) {
  line = without_cr(line);
  const std::string_view text = unindented(line);
  if (is_header(line) || is_cause(text)) return go_to(state, kThrown);
  if (is_indented(line) && is_frame(text)) return go_to(state, kFrames);
  return begin_plain(state, line);
}

PresetStep next(PresetState& state, std::string_view line) {
  line = without_cr(line);
  if (line.empty()) return state.place == kThrown ? kContinues : kBegins;
  if (is_digit(line[0])) return kBegins;
  const std::string_view text = unindented(line);
  if (is_frame(text)) return is_indented(line) || text[0] == '.' ? go_to(state, kFrames) : kBegins;
  if (is_cause(text)) return go_to(state, kThrown);
  // What is nested is told in the next line.
  if (text.starts_with(kNested)) return go_to(state, text.size() == kNested.size() ? kRecord : kThrown);
  if (is_indented(line)) return kContinues;
  if (state.place == kRecord && is_header(line)) return go_to(state, kThrown);
  return kBegins;
}

}  // namespace

const PresetRules kJavaRules{first, next, true, "\tat "};

}  // namespace logflume
