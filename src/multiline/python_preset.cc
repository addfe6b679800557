// Python's tracebacks.
//
// Traceback (most recent call last):
//   File "/srv/app.py", line 12, in handle
//     return answer[key]
// KeyError: 'id'
//
// During handling of the above exception, another exception occurred:
//
// Traceback (most recent call last):
//   ...
#include "multiline/preset_parts.h"

namespace logflume {
namespace {

enum : std::uint8_t { kRaised = kFirstOwnPlace, kRaisedBlank, kChained };

constexpr std::string_view kTraceback = "Traceback (most recent call last):";
constexpr std::string_view kGroup = "  + Exception Group Traceback (most recent call last):";

bool is_chain(std::string_view line) {
  return starts_with_any(line, "During handling of the above exception, another exception occurred:",
                         "The above exception was the direct cause of the following exception:");
}

// "ValueError: why", "app.errors.NotFound": the last line of a traceback.
bool is_raised(std::string_view line) {
  if (!is_letter(line[0]) && line[0] != '_') return false;
  for (const char c : line) {
    if (c == ':') return true;
    if (!is_letter(c) && !is_digit(c) && std::string_view("_.<>").find(c) == std::string_view::npos)
      return false;
  }
  return true;
}

PresetStep first(PresetState& state, std::string_view line) {
  line = without_cr(line);
  if (line.starts_with(kTraceback)) return go_to(state, kFrames);
  if (line.starts_with(kGroup)) return go_to(state, kPlain);  // all of a group's lines are indented
  return begin_plain(state, line);
}

PresetStep next(PresetState& state, std::string_view line) {
  line = without_cr(line);
  if (is_empty(line)) {
    if (state.place == kRaised) return go_to(state, kRaisedBlank);
    return state.place == kChained ? kContinues : kBegins;
  }
  const bool may_begin = state.place == kRecord || state.place == kChained;
  if (line.starts_with(kTraceback)) return may_begin ? go_to(state, kFrames) : kBegins;
  if (line.starts_with(kGroup)) return may_begin ? go_to(state, kPlain) : kBegins;
  if (is_indented(line)) {
    if (unindented(line).starts_with("File \"")) state.place = kFrames;
    return kContinues;
  }
  if (is_chain(line))
    return state.place == kRaised || state.place == kRaisedBlank ? go_to(state, kChained) : kBegins;
  return state.place == kFrames && is_raised(line) ? go_to(state, kRaised) : kBegins;
}

}  // namespace

const PresetRules kPythonRules{first, next, true, {}};

}  // namespace logflume
