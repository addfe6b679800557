// Globs over whole paths, walked one directory at a time.
//
//   *        any bytes of a name, also none; a leading dot is nothing special
//   ?        one byte of a name
//   [a-z_]   one byte of the set; [!...] or [^...] any byte outside of it; [[:digit:]] classes as in POSIX
//   {a,b/c}  alternatives, nested too
//   **       as a whole segment: zero or more directories; at the end: everything below
//   \        takes the next byte literally
//
// Bytes, not characters: names need not be UTF-8. `*` matches names that begin with a dot, as in most log
// agents (and unlike a shell), because a log file is not hidden from the one who collects it.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace logflume {

constexpr std::size_t kGlobBytesMax = 4096;
constexpr std::size_t kGlobAlternativesMax = 1024;  // of one pattern, braces expanded

// One name's pattern. Matching takes O(pattern * name) at worst.
class NamePattern {
 public:
  // `text` is a segment without braces. Errors: kInvalidArgument.
  static Result<NamePattern> compile(std::string_view text);
  bool matches(std::string_view name) const;
  bool matches_everything() const { return tokens_.size() == 1 && tokens_[0].kind == kStar; }
  // The only name that it matches.
  const std::optional<std::string>& literal() const { return literal_; }

 private:
  enum Kind : std::uint8_t { kByte, kAnyByte, kSet, kStar };
  struct Token {
    Kind kind;
    std::uint8_t byte = 0;
    std::uint16_t set = 0;
  };
  static Result<std::size_t> parse_set(std::string_view text, std::size_t at, std::bitset<256>& set);
  bool matches_one(const Token& token, char c) const;

  std::vector<Token> tokens_;
  std::vector<std::bitset<256>> sets_;
  std::optional<std::string> literal_;
};

// Any number of globs, matched together as one automaton over the segments of a path.
class GlobSet {
 public:
  // Where in the patterns a directory's names stand. Empty: no glob leads into it.
  using State = std::vector<std::uint32_t>;

  // A relative pattern is taken from `working_directory`, itself absolute and literal. `.` and `..` are
  // resolved by text; `..` behind a wildcard is an error. Errors: kInvalidArgument, naming the pattern.
  Result<void> add(std::string_view pattern, std::string_view working_directory);

  // The state of "/".
  State start() const;
  // The state inside the subdirectory `name`. Without `recurse`, `**` is not carried on: a directory that
  // is its own ancestor is still entered where a pattern spells that out, but not for ever.
  State enter(const State& state, std::string_view name, bool recurse = true) const;
  // True when a file of this name, in a directory with this state, matches.
  bool accepts(const State& state, std::string_view name) const;
  // True when every file below matches.
  bool accepts_everything(const State& state) const;
  // The names that a directory with this state can be looked up for, sorted; nullopt when it must be listed.
  std::optional<std::vector<std::string>> literals(const State& state) const;
  // True when a file may match here, not only further down.
  bool accepts_files(const State& state) const;

  // For whole paths, absolute and normal.
  bool matches(std::string_view path) const;
  bool empty() const { return starts_.empty(); }

 private:
  struct Segment {
    bool any_directories = false;  // **
    bool last = false;
    NamePattern name;
  };
  Result<void> add_expanded(std::string_view pattern, std::string_view working_directory);
  void insert(State& state, std::uint32_t position) const;

  std::vector<Segment> segments_;  // of all patterns, one behind the other
  State starts_;
};

// `pattern` with its braces expanded. Errors: kInvalidArgument.
Result<std::vector<std::string>> expand_braces(std::string_view pattern);

}  // namespace logflume
