#include "base/cri_line.h"

#include <algorithm>

namespace logflume {

std::optional<CriLine> cri_line(std::string_view line) {
  const auto take_word = [&] {
    const std::string_view word = line.substr(0, line.find(' '));
    line.remove_prefix(std::min(word.size() + 1, line.size()));
    return word;
  };
  CriLine found;
  found.time = take_word();
  found.stream = take_word();
  if (found.stream != "stdout" && found.stream != "stderr") return {};
  // Where the message is empty it may have lost its blank.
  const std::string_view tags = take_word();
  const std::string_view flag = tags.substr(0, tags.find(':'));
  found.partial = flag == "P";
  if (!found.partial && flag != "F") return {};
  found.message = line;
  return found;
}

}  // namespace logflume
