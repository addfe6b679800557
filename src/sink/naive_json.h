// JSON escaping the slow and obvious way: what tests and fuzzers compare the fast one with.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace logflume::naive {

// UTF-8 with U+FFFD for what is not: the decoder of the WHATWG Encoding Standard, state by state.
inline std::string repaired(std::string_view text) {
  std::string out, pending;
  int needed = 0;
  unsigned char lower = 0x80, upper = 0xBF;
  const auto reset = [&] {
    pending.clear();
    needed = 0;
    lower = 0x80;
    upper = 0xBF;
  };
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (needed == 0) {
      ++i;
      if (byte <= 0x7F) {
        out += static_cast<char>(byte);
        continue;
      }
      if (byte >= 0xC2 && byte <= 0xDF) {
        needed = 1;
      } else if (byte >= 0xE0 && byte <= 0xEF) {
        if (byte == 0xE0) lower = 0xA0;
        if (byte == 0xED) upper = 0x9F;
        needed = 2;
      } else if (byte >= 0xF0 && byte <= 0xF4) {
        if (byte == 0xF0) lower = 0x90;
        if (byte == 0xF4) upper = 0x8F;
        needed = 3;
      } else {
        out += "\uFFFD";
        continue;
      }
      pending = static_cast<char>(byte);
      continue;
    }
    if (byte < lower || byte > upper) {
      out += "\uFFFD";
      reset();  // and the same byte again
      continue;
    }
    ++i;
    lower = 0x80;
    upper = 0xBF;
    pending += static_cast<char>(byte);
    if (--needed == 0) {
      out += pending;
      reset();
    }
  }
  if (needed != 0) out += "\uFFFD";
  return out;
}

inline std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : repaired(text)) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          char code[8];
          std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
          out += code;
        } else {
          out += c;
        }
    }
  }
  return out;
}

}  // namespace logflume::naive
