// Characters of ASCII and UTF-8, whatever the locale is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace logflume {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A byte of a character of UTF-8 that is not its first.
constexpr bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Characters, not bytes, of UTF-8.
inline std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !continues_character(c); }));
}

// The character in UTF-8, at most 4 bytes; where it ends. REQUIRES: a code point.
inline char* write_utf8(std::uint32_t point, char* out) {
  const auto continuing = [point](unsigned shift) {
    return static_cast<char>(0x80 | (point >> shift & 0x3F));
  };
  if (point < 0x80) {
    *out++ = static_cast<char>(point);
    return out;
  }
  if (point < 0x800) {
    *out++ = static_cast<char>(0xC0 | point >> 6);
  } else {
    if (point < 0x10000) {
      *out++ = static_cast<char>(0xE0 | point >> 12);
    } else {
      *out++ = static_cast<char>(0xF0 | point >> 18);
      *out++ = continuing(12);
    }
    *out++ = continuing(6);
  }
  *out++ = continuing(0);
  return out;
}

}  // namespace logflume
