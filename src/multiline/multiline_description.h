// The keys of `multiline`, as the configuration has them.
#pragma once

#include <string>
#include <utility>

#include "base/describe.h"
#include "multiline/multiline_config.h"

namespace logflume {

// What is wrong with a pattern; empty: nothing.
std::string check_line_pattern(const std::string& text);

// Struct derives from MultilineConfig, or is it. `without_max_bytes`: what bounds an event where it is not
// given.
template <typename Struct>
void describe_multiline(Describe<Struct>& multiline, std::string without_max_bytes) {
  multiline
      .field(
          "start_pattern", &MultilineConfig::start_pattern,
          "A regular expression (PCRE2): a line in which it is found begins an event, and the lines "
          "that follow and do not match belong to it. With `continue_pattern`, only lines in which that "
          "is found do; with `end_pattern`, lines behind the end of an event and before the next start are "
          "events by themselves.")
      .must(check_line_pattern, "a regular expression, as in ^\\d{4}-")
      .absent_is("any line may begin an event")
      .example_is("'^\\d{4}-'");
  multiline
      .field("continue_pattern", &MultilineConfig::continue_pattern,
             "A line in which it is found, and `start_pattern` is not, belongs to the event before it; any "
             "other line begins one. With `start_pattern`, a line that has neither is an event by itself.")
      .must(check_line_pattern, "a regular expression, as in ^\\s")
      .absent_is("the other patterns decide")
      .example_is("'^\\s'");
  multiline
      .field("end_pattern", &MultilineConfig::end_pattern,
             "An event ends behind a line in which it is found, and is delivered at once.")
      .must(check_line_pattern, "a regular expression, as in ;$")
      .absent_is("the next event ends one")
      .example_is("';$'");
  multiline
      .choice(
          "preset", &MultilineConfig::preset,
          {{"java", MultilinePreset::kJava},
           {"python", MultilinePreset::kPython},
           {"go", MultilinePreset::kGo},
           {"ruby", MultilinePreset::kRuby},
           {"dotnet", MultilinePreset::kDotnet},
           {"rust", MultilinePreset::kRust},
           {"php", MultilinePreset::kPhp},
           {"node", MultilinePreset::kNode},
           {"cri", MultilinePreset::kCri},
           {"docker", MultilinePreset::kDocker}},
          "Rules that are known, in place of patterns. Those of a language make one event of a stack trace, "
          "with the causes that it tells of, and of the line before it if that is a record of a log (it "
          "begins with a time, a level or a bracket); an indented line belongs to the line before it; any "
          "other line is an event. `cri` joins the parts of a long line of a container's log, flag `P`, up "
          "to the last one, flag `F`, of the same stream; `docker` those of Docker's json-file driver, "
          "whose `log` does not end with a newline, up to the one whose does.")
      .absent_is("patterns")
      .example_is("java");
  multiline.choice(
      "inside", &MultilineConfig::inside,
      {{"none", MultilineInside::kNothing},
       {"cri", MultilineInside::kCri},
       {"docker", MultilineInside::kDocker}},
      "`cri`, `docker`: the lines are those of a container's log, and patterns and presets are asked for "
      "the messages in them, as for a stack trace that an application in a container has written. Parts of "
      "a long line stay together; a line of the other stream begins an event. `parse_cri` or "
      "`parse_docker_json` makes one message of all.");
  multiline
      .field(
          "max_lines", &MultilineConfig::max_lines,
          "An event of so many lines is over: the next line begins another one, whatever it is. Counted in "
          "`logflume_cut_events_total{reason=\"max_lines\"}`.")
      .at_least(1)
      .at_most(1'000'000'000)
      .absent_is("unlimited")
      .example_is("500");
  multiline
      .bytes(
          "max_bytes", &MultilineConfig::max_bytes,
          "A line with which its event would be longer begins another one, so nothing is lost. Counted in "
          "`logflume_cut_events_total{reason=\"max_bytes\"}`. A line that is longer is an event by itself.")
      .at_least(1)
      .absent_is(std::move(without_max_bytes))
      .example_is("256KiB");
  multiline
      .field("timeout", &MultilineConfig::timeout,
             "An event that nothing was added to for so long is over, whatever may follow.")
      .at_least(1ms);
}

}  // namespace logflume
