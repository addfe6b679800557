// Text that arbitrary bytes cannot break: JSON strings, and lines for a terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace logflume {

// The length of the UTF-8 sequence that `text` begins with; 0 when it begins with none. REQUIRES: not empty.
std::size_t utf8_length(std::string_view text);

// What is not UTF-8 becomes U+FFFD, byte by byte.
std::string valid_utf8(std::string_view text);

// `text` in quotes, escaped, always valid UTF-8. For names and messages; the data path has its own encoder.
void append_json_string(std::string& out, std::string_view text);

// One line without anything that a terminal would obey: control characters (C1 and DEL too) and what is not
// UTF-8 appear as \n, \t or \xHH.
void append_printable(std::string& out, std::string_view text);

// "2026-01-02T03:04:05.678Z", from nanoseconds since 1970.
std::string rfc3339(std::int64_t wall_ns);

}  // namespace logflume
