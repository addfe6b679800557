// What the presets' rules are made of.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "multiline/line_shapes.h"
#include "multiline/presets.h"

namespace logflume {

// One file each.
extern const PresetRules kJavaRules;
extern const PresetRules kPythonRules;
extern const PresetRules kGoRules;
extern const PresetRules kRubyRules;
extern const PresetRules kDotnetRules;
extern const PresetRules kRustRules;
extern const PresetRules kPhpRules;
extern const PresetRules kNodeRules;
extern const PresetRules kPartsRules;  // kCri, kDocker

inline constexpr PresetStep kBegins{false, false};
inline constexpr PresetStep kContinues{true, false};

inline PresetStep go_to(PresetState& state, unsigned place) {
  state.place = static_cast<std::uint8_t>(place);
  return kContinues;
}

// Behind the first line of an event that is none of a trace.
inline PresetStep begin_plain(PresetState& state, std::string_view line) {
  return go_to(state, is_log_record(line) ? kRecord : kPlain);
}

// A carriage return before the newline is no part of a trace.
inline std::string_view without_cr(std::string_view line) {
  return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
}

}  // namespace logflume
