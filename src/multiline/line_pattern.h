// A pattern that a line is searched for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/head_pattern.h"
#include "base/regex.h"

namespace logflume {

// Threads: one.
class LinePattern {
 public:
  // A line is judged by its first bytes: what comes later changes nothing, however long it is.
  static constexpr std::size_t kHeadBytesMax = std::size_t{16} * 1024;

  // Errors: kInvalidArgument: what is wrong with the pattern, and where.
  static Result<LinePattern> compile(std::string_view pattern) {
    auto regex = Regex::compile(pattern);
    if (!regex) return std::move(regex).error();
    return LinePattern(HeadPattern::of(pattern), std::move(*regex));
  }

  // `line` without its newline, or as much of it as there is, but at least kHeadBytesMax. In a line on which
  // the regular expression runs into its limits it is not found.
  bool matches(std::string_view line) {
    if (!head_.is_void()) {
      const HeadPattern::Answer answer = head_.look(line);
      if (answer != HeadPattern::Answer::kAsk) return answer == HeadPattern::Answer::kYes;
    }
    return ask(line);
  }
  // Lines that ran into the limits since the last call.
  std::uint64_t take_gave_up() { return std::exchange(gave_up_, 0); }

 private:
  LinePattern(HeadPattern head, Regex regex) : head_(head), regex_(std::move(regex)) {}
  bool ask(std::string_view line) {
    const Regex::Answer answer = regex_.search(line.substr(0, kHeadBytesMax), scratch_);
    if (answer == Regex::Answer::kGaveUp) ++gave_up_;
    return answer == Regex::Answer::kYes;
  }

  HeadPattern head_;
  Regex regex_;
  RegexScratch scratch_;
  std::uint64_t gave_up_ = 0;
};

}  // namespace logflume
