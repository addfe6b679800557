// The parts of long lines in the logs of containers (base/cri_line.h).
#include "base/cri_line.h"
#include "multiline/preset_parts.h"

namespace logflume {
namespace {

enum : std::uint8_t { kNoSuchLine = 0, kStdout = kFirstOwnPlace, kStderr };

PresetStep first(PresetState& state, std::string_view line) {
  const auto part = cri_line(line);
  state.place = !part ? kNoSuchLine : part->is_stderr() ? kStderr : kStdout;
  return {true, !part || !part->partial};
}

// An event is of one stream: a line of the other one begins another event.
PresetStep next(PresetState& state, std::string_view line) {
  PresetState of_line;
  const PresetStep step = first(of_line, line);
  return of_line.place == state.place ? step : kBegins;
}

}  // namespace

const PresetRules kCriRules{first, next, false, {}};

}  // namespace logflume
