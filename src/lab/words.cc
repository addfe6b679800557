#include "lab/words.h"

#include <algorithm>
#include <sstream>

namespace logflume {

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string wrap_words(const std::string& text, std::size_t width, const std::string& first,
                       const std::string& indent) {
  std::istringstream words(text);
  std::string out = first;
  std::size_t column = characters(first);
  bool line_empty = true;
  for (std::string word; words >> word; line_empty = false) {
    if (!line_empty && width > 0 && column + 1 + characters(word) > width) {
      out += "\n" + indent;
      column = characters(indent);
      line_empty = true;
    }
    out += (line_empty ? "" : " ") + word;
    column += characters(word) + (line_empty ? 0 : 1);
  }
  return out + "\n";
}

}  // namespace logflume
