// Kinds of bytes that detectors ask for. All are ASCII; a letter beyond it has two bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace logflume::redact {

enum ByteKind : std::uint16_t {
  kDigit = 1,
  kUpper = 2,
  kLower = 4,
  kHexLetter = 8,
  kUnderscore = 16,
  kHyphen = 32,
  kDot = 64,
  kBase64 = 128,  // + / =
  kTilde = 256,
  kPercent = 512,
  kColon = 1024,
  kPlus = 2048,
  kValueEnd = 4096,  // ends a value that is not quoted
  kUrlEnd = 8192,    // ends the user and password of a URL

  kLetter = kUpper | kLower,
  kAlnum = kLetter | kDigit,
  kWord = kAlnum | kUnderscore,
  kHex = kDigit | kHexLetter,
  kBase64Url = kWord | kHyphen,
  kOpaque = kBase64Url | kDot | kTilde | kBase64 | kPercent,  // what tokens are written in
  kLocal = kBase64Url | kDot | kPlus,                         // of an address of e-mail
};

inline constexpr std::array<std::uint16_t, 256> kByteKinds = [] {
  std::array<std::uint16_t, 256> kinds{};
  const auto add = [&kinds](std::string_view bytes, unsigned kind) {
    for (const char c : bytes) {
      std::uint16_t& all = kinds[static_cast<unsigned char>(c)];
      all = static_cast<std::uint16_t>(all | kind);
    }
  };
  add("0123456789", kDigit);
  add("ABCDEFGHIJKLMNOPQRSTUVWXYZ", kUpper);
  add("abcdefghijklmnopqrstuvwxyz", kLower);
  add("abcdefABCDEF", kHexLetter);
  add("_", kUnderscore);
  add("-", kHyphen);
  add(".", kDot);
  add("+/=", kBase64);
  add("~", kTilde);
  add("%", kPercent);
  add(":", kColon);
  add("+", kPlus);
  add(",;&\"')}]<>", kValueEnd);
  add("/@\"'<>", kUrlEnd);
  for (std::size_t c = 0; c <= ' '; ++c)
    kinds[c] = static_cast<std::uint16_t>(kinds[c] | kValueEnd | kUrlEnd);
  return kinds;
}();

constexpr bool is(char c, unsigned kinds) { return (kByteKinds[static_cast<unsigned char>(c)] & kinds) != 0; }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
// The byte at a position, 0 where there is none.
constexpr char byte_at(std::string_view text, std::size_t at) { return at < text.size() ? text[at] : '\0'; }

// A letter of two bytes, U+00C0 to U+07FF (Latin, Greek, Cyrillic, Hebrew, Arabic), begins at `at`.
constexpr bool wide_letter_at(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(byte_at(text, at));
  return first >= 0xC3 && first <= 0xDF && (static_cast<unsigned char>(byte_at(text, at + 1)) & 0xC0) == 0x80;
}

// A part of a text; empty: none.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
  explicit operator bool() const { return end > begin; }
};

}  // namespace logflume::redact
