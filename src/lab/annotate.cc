#include "lab/annotate.h"

#include <algorithm>
#include <sstream>

#include "lab/words.h"

namespace logflume {

std::string annotate_yaml(const std::string& yaml,
                          const std::vector<std::pair<std::string, std::string>>& comments,
                          std::size_t width) {
  std::string out;
  std::vector<std::string> path;  // of the keys above a line, one an indentation of two
  std::istringstream lines(yaml);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
    const std::size_t colon = line.find(':', indent);
    if (colon == std::string::npos || line[indent] == '#') {
      out += line + "\n";
      continue;
    }
    path.resize(std::min(path.size(), indent / 2));
    path.push_back(line.substr(indent, colon - indent));
    std::string key;
    for (const std::string& part : path) key += (key.empty() ? "" : ".") + part;
    const auto comment = std::ranges::find(comments, key, &std::pair<std::string, std::string>::first);
    if (comment == comments.end()) {
      out += line + "\n";
    } else if (line.size() + 4 + comment->second.size() <= width) {
      out += line + "  # " + comment->second + "\n";
    } else {
      const std::string lead = std::string(indent, ' ') + "# ";
      out += wrap_words(comment->second, width, lead, lead) + line + "\n";
    }
  }
  return out;
}

}  // namespace logflume
