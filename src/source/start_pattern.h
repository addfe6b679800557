// Which lines begin a multi-line event.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "base/regex.h"

namespace logflume {

// Threads: one.
class StartPattern {
 public:
  // A line is judged by its first bytes: what comes later cannot make it a beginning, however long it is.
  static constexpr std::size_t kHeadBytesMax = 16 * 1024;

  // Errors: kInvalidArgument: what is wrong with the pattern, and where.
  static Result<StartPattern> compile(std::string_view pattern) {
    auto regex = Regex::compile(pattern);
    if (!regex) return std::move(regex).error();
    return StartPattern(std::move(*regex));
  }

  // `line` without its newline, or as much of it as there is, but at least kHeadBytesMax. A line on which the
  // pattern runs into its limits begins nothing.
  bool matches(std::string_view line) {
    const Regex::Answer answer = regex_.search(line.substr(0, kHeadBytesMax), scratch_);
    if (answer == Regex::Answer::kGaveUp) ++gave_up_;
    return answer == Regex::Answer::kYes;
  }
  // Lines that ran into the limits since the last call.
  std::uint64_t take_gave_up() { return std::exchange(gave_up_, 0); }

 private:
  explicit StartPattern(Regex regex) : regex_(std::move(regex)) {}

  Regex regex_;
  RegexScratch scratch_;
  std::uint64_t gave_up_ = 0;
};

}  // namespace logflume
