// Text of unknown origin, fit for a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace logflume {

// The length of the UTF-8 sequence that `text` begins with; 0 when it begins with none. REQUIRES: not empty.
std::size_t utf8_length(std::string_view text);

// One line without anything that a terminal would obey: control characters (C1 and DEL too) and what is not
// UTF-8 appear as \n, \t or \xHH. Longer than `bytes_max` it is cut, between characters, and ends in "...".
std::string printable(std::string_view text, std::size_t bytes_max = std::string::npos);

// Appends `value` as the printf format says: "\\x%02x", "\\u%04x". At most 7 characters.
void append_hex(std::string& out, const char* format, unsigned value);

}  // namespace logflume
