// Which lines of a sample are one event.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "detect/sample.h"
#include "multiline/multiline_config.h"

namespace logflume {

// A way to cut a sample into events, and these: without their last newline, empty ones left out.
struct EventCut {
  std::string preset;         // of `multiline`
  std::string inside;         // the same; empty: of nothing
  std::string start_pattern;  // in place of a preset; both empty: each line is an event
  std::vector<std::string_view> events;
};

EventCut cut_at_lines(const LogSample& sample);
// At the lines that containers wrote: those of such a log may be parts of them.
EventCut cut_at_lines_inside(const LogSample& sample, MultilineInside inside);
// By each preset of a language that knows more of these lines than that indented ones belong to the line
// before.
std::vector<EventCut> cut_by_presets(const LogSample& sample,
                                     MultilineInside inside = MultilineInside::kNothing);
// By what the lines of logs often begin with; last by the indentation alone.
std::vector<EventCut> cut_by_starts(const LogSample& sample);

// Of a log without a format: by the preset that joins most, or by the indentation; each line by itself where
// nothing joins any.
EventCut cut_plain_text(const LogSample& sample);

}  // namespace logflume
