#include "lab/words.h"

#include <sstream>

#include "base/characters.h"

namespace logflume {

std::string wrap_words(const std::string& text, std::size_t width, const std::string& first,
                       const std::string& indent) {
  std::istringstream words(text);
  std::string out = first;
  std::size_t column = count_characters(first);
  bool line_empty = true;
  for (std::string word; words >> word; line_empty = false) {
    if (!line_empty && width > 0 && column + 1 + count_characters(word) > width) {
      out += "\n" + indent;
      column = count_characters(indent);
      line_empty = true;
    }
    out += (line_empty ? "" : " ") + word;
    column += count_characters(word) + (line_empty ? 0 : 1);
  }
  return out + "\n";
}

}  // namespace logflume
