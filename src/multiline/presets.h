// The rules of each preset: which lines of a log belong to the line before them.
#pragma once

#include <cstdint>
#include <string_view>

#include "multiline/multiline_config.h"

namespace logflume {

// Where in a trace the lines of an event end: in an ordinary line, in a record of a log, in what says what
// was thrown, among the frames. Presets have more places.
enum PresetPlace : std::uint8_t { kPlain, kRecord, kThrown, kFrames, kFirstOwnPlace };

// What the lines of an event so far say about the next one.
struct PresetState {
  std::uint8_t place = kPlain;
  std::uint32_t mark = 0;  // what else it keeps of them
};

struct PresetStep {
  bool continues = false;  // the line belongs to the event
  bool ends = false;       // nothing more can
};

// Each line is judged by itself and by the lines of its event before it, never by what follows: a line that
// might have belonged to an event but for the next one cannot be waited for.
//
// A trace is an event of its own, unless the line before it is a record of a log, which begins with a time, a
// level or a bracket: loggers write what was thrown behind the record that tells of it. Lines that begin with
// a blank belong to the line before in any case (but for kCri and kDocker).
//
// Most lines of a log are told by less, which must not say anything else than `next` and `first` do. It holds
// for events that end in one of the places that presets have in common.
struct PresetRules {
  // The line begins an event.
  PresetStep (*first)(PresetState& state, std::string_view line);
  // A line behind another one of an event. If it does not continue it, what becomes of `state` is of no use.
  PresetStep (*next)(PresetState& state, std::string_view line);
  bool digit_begins = true;  // a line that begins with a digit is a record, and begins an event
  // A line that begins with it is a frame, and belongs to any event. At most 8 bytes; empty: there is nothing
  // so simple.
  std::string_view frame;
};

// REQUIRES: a preset, not kNone.
const PresetRules& preset_rules(MultilinePreset preset);

}  // namespace logflume
