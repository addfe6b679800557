#include "redact/email_check.h"

#include <algorithm>
#include <array>

namespace logflume::redact {
namespace {

// What stands behind the last dot of file names and of systemd's units, as in "icon@2x.png" and
// "user@1000.service", and is no domain of the highest level.
constexpr std::array<std::string_view, 24> kNoDomains = {
    "png",    "jpg",   "jpeg",  "gif",   "webp",  "svg",    "ico",     "css",
    "js",     "mjs",   "html",  "gz",    "tgz",   "tar",    "service", "socket",
    "target", "timer", "slice", "scope", "mount", "device", "path",    "swap"};

bool equals_lower(std::string_view text, std::string_view lower_case) {
  return std::ranges::equal(text, lower_case, [](char a, char b) { return lower(a) == b; });
}

// Bytes of the letter, digit or wide letter at `at`; 0 where there is none.
std::size_t label_bytes(std::string_view text, std::size_t at) {
  if (is(byte_at(text, at), kAlnum)) return 1;
  return wide_letter_at(text, at) ? 2 : 0;
}

// Where the longest domain of two labels or more ends, 0 when there is none. The last label is one of
// letters, or a punycode.
std::size_t domain_end(std::string_view text, std::size_t begin) {
  std::size_t best = 0;
  for (std::size_t at = begin;;) {
    const std::size_t label = at;
    std::size_t letters_end = 0, letters = 0;  // of the letters that the label begins with
    for (std::size_t bytes = 0;; at += bytes) {
      bytes = label_bytes(text, at);
      if (bytes == 0 && at > label && byte_at(text, at) == '-') bytes = 1;
      const bool letter = bytes == 2 || (bytes == 1 && is(text[at], kLetter));
      if (!letter && letters_end == 0) letters_end = at;
      if (bytes == 0) break;
      if (letters_end == 0) ++letters;
    }
    if (at == label) return best;
    if (label > begin) {
      const std::string_view name = text.substr(label, letters_end - label);
      const bool ends = letters_end == at || text[letters_end] == '-';
      if (ends && letters >= 2 &&
          std::ranges::none_of(kNoDomains, [name](std::string_view no) { return equals_lower(name, no); }))
        best = letters_end;
      if (at - label > 4 && equals_lower(text.substr(label, 4), "xn--")) best = at;
    }
    if (byte_at(text, at) != '.') return best;
    ++at;
  }
}

std::size_t local_begin(std::string_view text, std::size_t end, std::size_t floor, bool encoded) {
  std::size_t begin = end;
  // "%2B": its letters were taken for some of a name already.
  const auto is_plus = [&] {
    return encoded && text[begin - 1] == '%' && end - begin >= 2 && text[begin] == '2' &&
           lower(text[begin + 1]) == 'b';
  };
  while (begin > floor) {
    if (is(text[begin - 1], kLocal) || is_plus()) {
      --begin;
    } else if (begin > floor + 1 && wide_letter_at(text, begin - 2)) {
      begin -= 2;
    } else {
      break;
    }
  }
  while (begin < end && label_bytes(text, begin) == 0 && text[begin] != '_') ++begin;
  return begin;
}

Span address(std::string_view text, std::size_t at, std::size_t at_bytes, std::size_t floor) {
  const std::size_t end = domain_end(text, at + at_bytes);
  if (end == 0) return {};
  const std::size_t begin = local_begin(text, at, floor, at_bytes > 1);
  return begin < at ? Span{begin, end} : Span{};
}

}  // namespace

Span email_at(std::string_view text, std::size_t at, std::size_t floor) {
  return address(text, at, 1, floor);
}

Span encoded_email_at(std::string_view text, std::size_t at, std::size_t floor) {
  // What is not ASCII is encoded too.
  return is(byte_at(text, at + 3), kAlnum) ? address(text, at, 3, floor) : Span{};
}

Span url_password_at(std::string_view text, std::size_t at) {
  std::size_t begin = at;
  while (begin > 0 && !is(text[begin - 1], kUrlEnd)) --begin;
  if (begin < 3 || text.substr(begin - 3, 3) != "://") return {};
  const std::size_t colon = text.substr(0, at).find(':', begin);
  return colon == std::string_view::npos ? Span{} : Span{colon + 1, at};
}

}  // namespace logflume::redact
