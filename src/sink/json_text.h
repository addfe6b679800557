// Texts as JSON has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace logflume {

// Appends nanoseconds since 1970 as RFC 3339, UTC: "2026-01-02T03:04:05.678901234Z".
void append_timestamp(std::int64_t wall_ns, std::string& out);

// Appends `text` escaped as the inside of a JSON string, each maximal ill-formed UTF-8 subpart replaced by
// U+FFFD. (json_escape.cc)
void append_json_escaped(std::string_view text, std::string& out);
// How many bytes that would append.
std::size_t json_escaped_bytes(std::string_view text);

}  // namespace logflume
