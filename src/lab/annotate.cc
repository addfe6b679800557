#include "lab/annotate.h"

#include <algorithm>
#include <sstream>

namespace logflume {

std::string comment_lines(const std::string& text, const std::string& lead, std::size_t width) {
  std::istringstream words(text);
  std::string out;
  std::string line = lead;
  for (std::string word; words >> word;) {
    if (line.size() > lead.size() && line.size() + 1 + word.size() > width) {
      out += line + "\n";
      line = lead;
    }
    line += (line.size() > lead.size() ? " " : "") + word;
  }
  return out + line + "\n";
}

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
      out += comment_lines(comment->second, std::string(indent, ' ') + "# ", width) + line + "\n";
    }
  }
  return out;
}

}  // namespace logflume
