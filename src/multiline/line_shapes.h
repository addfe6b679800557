// What lines of logs and of stack traces look like, for the presets.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "base/characters.h"

namespace logflume {

inline bool is_blank(char c) { return c == ' ' || c == '\t'; }
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Without its blanks in front.
inline std::string_view unindented(std::string_view line) {
  return line.substr(std::min(line.find_first_not_of(" \t"), line.size()));
}
inline bool is_indented(std::string_view line) { return !line.empty() && is_blank(line[0]); }
// Nothing but blanks.
inline bool is_empty(std::string_view line) { return unindented(line).empty(); }

template <std::size_t... kSizes>
bool starts_with_any(std::string_view line, const char (&... prefixes)[kSizes]) {
  return (line.starts_with(std::string_view(prefixes, kSizes - 1)) || ...);
}

// It begins as records of loggers do: with a digit (a time), a bracket, a level, a month or a day of the
// week.
bool is_log_record(std::string_view line);

// What kinds of names and what behind them a header of an exception has.
struct HeaderSyntax {
  std::string_view inner;   // what names have beside letters, digits, '_' and '.'
  std::string_view behind;  // what may stand, after a blank and in brackets, between the name and its colon
};
// "java.lang.IllegalStateException: why", or the name alone: a name that tells of an error.
bool is_exception_header(std::string_view line, const HeaderSyntax& syntax);

// "... :12" at its end, as in a place of a source file.
bool ends_in_line_number(std::string_view line);

}  // namespace logflume
