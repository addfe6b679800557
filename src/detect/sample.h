// The first lines of a log.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace logflume {

// Ownership: a copy, behind which parsers may read what they read behind lines.
class LogSample {
 public:
  static constexpr std::size_t kLinesMax = 1000;
  static constexpr std::size_t kBytesMax = std::size_t{1024} * 1024;

  // Of a longer text, its first whole lines; a last line without its newline is left out unless it is the
  // only one. Empty lines are none.
  explicit LogSample(std::string_view text);
  LogSample(const LogSample&) = delete;
  LogSample& operator=(const LogSample&) = delete;

  std::string_view text() const { return {text_.data(), bytes_}; }
  // Without newline, and without the \r that all of them end in.
  const std::vector<std::string_view>& lines() const { return lines_; }
  bool strips_cr() const { return strips_cr_; }

 private:
  std::string text_;
  std::size_t bytes_ = 0;
  std::vector<std::string_view> lines_;
  bool strips_cr_ = false;
};

}  // namespace logflume
