#include "detect/sample.h"

#include <algorithm>

namespace logflume {
namespace {

constexpr std::size_t kPadBytes = 64;

}  // namespace

LogSample::LogSample(std::string_view text) {
  text = text.substr(0, kBytesMax);
  if (const std::size_t last = text.rfind('\n'); last != std::string_view::npos)
    text = text.substr(0, last + 1);
  std::size_t end = 0;
  for (std::size_t lines = 0; lines < kLinesMax && end < text.size(); ++lines)
    end = std::min(text.find('\n', end), text.size() - 1) + 1;
  bytes_ = end;
  text_.assign(text.substr(0, end)).append(kPadBytes, '\0');
  for (std::size_t begin = 0; begin < bytes_;) {
    const std::size_t newline = std::min(text_.find('\n', begin), bytes_);
    if (newline > begin) lines_.push_back(this->text().substr(begin, newline - begin));
    begin = newline + 1;
  }
  strips_cr_ = !lines_.empty() &&
               std::ranges::all_of(lines_, [](std::string_view line) { return line.ends_with('\r'); });
  if (!strips_cr_) return;
  for (std::string_view& line : lines_) line.remove_suffix(1);
  std::erase_if(lines_, [](std::string_view line) { return line.empty(); });
}

}  // namespace logflume
