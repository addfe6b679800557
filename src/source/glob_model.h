// The meaning of globs, spelled out naively: backtracking, a pattern at a time, no limits. What GlobSet must
// agree with in tests and under the fuzzer; short inputs only.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace logflume::glob_model {

inline std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> parts;
  std::string part;
  for (const char c : path) {
    if (c == '/') {
      parts.push_back(part);
      part.clear();
    } else {
      part += c;
    }
  }
  parts.push_back(part);
  std::vector<std::string> normal;
  for (const std::string& p : parts) {
    if (p == "..") {
      if (!normal.empty()) normal.pop_back();
    } else if (!p.empty() && p != ".") {
      normal.push_back(p);
    }
  }
  return normal;
}

// `pattern` begins behind '['. Returns whether `c` is in the set, and moves `pattern` behind ']'.
inline bool in_set(std::string_view& pattern, unsigned char c) {
  const bool negated = pattern[0] == '!' || pattern[0] == '^';
  if (negated) pattern.remove_prefix(1);
  const auto next = [&] {
    if (pattern[0] == '\\') pattern.remove_prefix(1);
    const auto byte = static_cast<unsigned char>(pattern[0]);
    pattern.remove_prefix(1);
    return byte;
  };
  bool in = false;
  for (bool first = true; first || pattern[0] != ']'; first = false) {
    const unsigned char from = next();
    unsigned char to = from;
    if (pattern.size() >= 2 && pattern[0] == '-' && pattern[1] != ']') {
      pattern.remove_prefix(1);
      to = next();
    }
    in |= from <= c && c <= to;
  }
  pattern.remove_prefix(1);
  return in != negated;
}

// Lengths of what is left of a pattern and a name that do not match: nothing is tried twice.
using Failed = std::set<std::pair<std::size_t, std::size_t>>;

inline bool name_matches(std::string_view pattern, std::string_view name, Failed& failed) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] == '*') {
    if (failed.contains({pattern.size(), name.size()})) return false;
    const bool matched = name_matches(pattern.substr(1), name, failed) ||
                         (!name.empty() && name_matches(pattern, name.substr(1), failed));
    if (!matched) failed.insert({pattern.size(), name.size()});
    return matched;
  }
  if (name.empty()) return false;
  if (pattern[0] == '?') return name_matches(pattern.substr(1), name.substr(1), failed);
  if (pattern[0] == '[') {
    pattern.remove_prefix(1);
    return in_set(pattern, static_cast<unsigned char>(name[0])) &&
           name_matches(pattern, name.substr(1), failed);
  }
  if (pattern[0] == '\\') pattern.remove_prefix(1);
  return pattern[0] == name[0] && name_matches(pattern.substr(1), name.substr(1), failed);
}

inline bool name_matches(std::string_view pattern, std::string_view name) {
  Failed failed;
  return name_matches(pattern, name, failed);
}

inline bool parts_match(const std::vector<std::string>& pattern, std::size_t p,
                        const std::vector<std::string>& path, std::size_t at) {
  if (p == pattern.size()) return at == path.size();
  if (pattern[p] == "**") {
    if (p + 1 == pattern.size()) return at < path.size();  // everything below
    return parts_match(pattern, p + 1, path, at) ||
           (at < path.size() && parts_match(pattern, p, path, at + 1));
  }
  return at < path.size() && name_matches(pattern[p], path[at]) && parts_match(pattern, p + 1, path, at + 1);
}

// REQUIRES: `pattern` is a glob without braces and named classes that GlobSet::add() accepts, absolute;
//           `path` is absolute and normal.
inline bool matches(std::string_view pattern, std::string_view path) {
  return parts_match(split(pattern), 0, split(path), 0);
}

}  // namespace logflume::glob_model
