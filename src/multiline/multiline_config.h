// What `multiline` can be told. Names are those of the configuration.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"

namespace logflume {

// Rules that are known: the stack traces of a runtime, or the partial lines of a container's log.
enum class MultilinePreset { kNone, kJava, kPython, kGo, kRuby, kDotnet, kRust, kPhp, kNode, kCri, kDocker };

// What the lines are the content of.
enum class MultilineInside { kNothing, kCri, kDocker };

// Which lines are one event. Without a pattern and a preset each line is one.
struct MultilineConfig {
  // PCRE2; empty: not given.
  std::string start_pattern;     // a line in which it is found begins an event
  std::string continue_pattern;  // ... belongs to the event before it, and no other line does
  std::string end_pattern;       // ... is the last one of its event
  MultilinePreset preset = MultilinePreset::kNone;
  // Patterns and presets are asked for the messages of such lines, whose parts stay together.
  MultilineInside inside = MultilineInside::kNothing;
  // What an event may have at most; what goes on behind that is the next event.
  std::optional<std::uint32_t> max_lines;
  std::optional<std::uint64_t> max_bytes;      // inner newlines counted, the last one not
  Duration timeout = std::chrono::seconds(1);  // an event that nothing was added to for so long is over

  bool has_pattern() const {
    return !start_pattern.empty() || !continue_pattern.empty() || !end_pattern.empty();
  }
  bool enabled() const { return has_pattern() || preset != MultilinePreset::kNone; }
  // What the lines are the content of, whether a preset or `inside` says it.
  MultilineInside wrapper() const {
    return preset == MultilinePreset::kCri      ? MultilineInside::kCri
           : preset == MultilinePreset::kDocker ? MultilineInside::kDocker
                                                : inside;
  }
  bool operator==(const MultilineConfig&) const = default;
};

}  // namespace logflume
