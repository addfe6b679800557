// The logs of containers (CRI), where a long line comes in parts.
//
// 2026-01-02T03:04:05.678901234Z stdout P the first part of a long line
// 2026-01-02T03:04:05.678903456Z stdout F and the last one
#include "multiline/preset_parts.h"

namespace logflume {
namespace {

enum : std::uint8_t { kStdout = kFirstOwnPlace, kStderr };

struct Part {
  unsigned stream = 0;  // 0: no line of such a log
  bool is_last = true;
};

Part part_of(std::string_view line) {
  const std::size_t blank = line.find(' ');
  if (blank == line.npos) return {};
  line.remove_prefix(blank + 1);
  const unsigned stream = line.starts_with("stdout ")   ? unsigned{kStdout}
                          : line.starts_with("stderr ") ? unsigned{kStderr}
                                                        : 0U;
  constexpr std::size_t kFlagAt = std::string_view("stdout ").size();
  if (stream == 0 || line.size() <= kFlagAt) return {};
  const bool flag_ends = line.size() == kFlagAt + 1 || line[kFlagAt + 1] == ' ' || line[kFlagAt + 1] == ':';
  return {stream, line[kFlagAt] != 'P' || !flag_ends};
}

PresetStep first(PresetState& state, std::string_view line) {
  const Part part = part_of(line);
  state.place = static_cast<std::uint8_t>(part.stream);
  return {true, part.is_last};
}

// An event is of one stream: a line of the other one begins another event.
PresetStep next(PresetState& state, std::string_view line) {
  const Part part = part_of(line);
  return part.stream == state.place ? PresetStep{true, part.is_last} : kBegins;
}

}  // namespace

const PresetRules kCriRules{first, next, false, {}};

}  // namespace logflume
