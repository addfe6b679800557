// Text that arbitrary bytes cannot break: JSON strings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace logflume {

// What is not UTF-8 becomes U+FFFD, byte by byte.
std::string valid_utf8(std::string_view text);

// `text` in quotes, escaped, always valid UTF-8. For names and messages; the data path has its own encoder.
void append_json_string(std::string& out, std::string_view text);

// "2026-01-02T03:04:05.678Z", from nanoseconds since 1970.
std::string rfc3339(std::int64_t wall_ns);

}  // namespace logflume
