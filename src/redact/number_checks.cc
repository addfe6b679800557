#include "redact/number_checks.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace logflume::redact {
namespace {

// -- Cards ------------------------------------------------------------------------------------------------

constexpr std::size_t kCardDigitsMin = 13, kCardDigitsMax = 19;

// Numbers of an issuer: the first six digits, and how many digits there may be (a bit for each count).
struct Issuer {
  std::uint32_t from;
  std::uint32_t to;
  std::uint32_t lengths;
};
constexpr std::uint32_t digits(unsigned from, unsigned to) { return (2U << to) - (1U << from); }
constexpr std::array kIssuers = {
    Issuer{220000, 220499, digits(16, 19)},  // Mir
    Issuer{222100, 272099, digits(16, 16)},  // Mastercard
    Issuer{300000, 305999, digits(14, 19)},  // Diners Club
    Issuer{309500, 309599, digits(14, 19)},
    Issuer{340000, 349999, digits(15, 15)},                                    // American Express
    Issuer{352800, 358999, digits(16, 19)},                                    // JCB
    Issuer{360000, 369999, digits(14, 19)},                                    // Diners Club
    Issuer{370000, 379999, digits(15, 15)},                                    // American Express
    Issuer{380000, 399999, digits(14, 19)},                                    // Diners Club
    Issuer{400000, 499999, digits(13, 13) | digits(16, 16) | digits(19, 19)},  // Visa
    Issuer{501800, 501899, digits(13, 19)},                                    // Maestro
    Issuer{502000, 502099, digits(13, 19)},
    Issuer{503800, 503899, digits(13, 19)},
    Issuer{510000, 559999, digits(16, 16)},  // Mastercard
    Issuer{589300, 589399, digits(13, 19)},  // Maestro
    Issuer{601100, 601199, digits(16, 19)},  // Discover
    Issuer{620000, 629999, digits(16, 19)},  // UnionPay
    Issuer{630400, 630499, digits(13, 19)},  // Maestro
    Issuer{644000, 659999, digits(16, 19)},  // Discover
    Issuer{675900, 675999, digits(13, 19)},  // Maestro
    Issuer{676100, 676399, digits(13, 19)},
};

struct Digits {
  std::array<std::uint8_t, kCardDigitsMax> values;
  std::size_t count = 0;

  void add(std::string_view text) {
    for (const char c : text) values[count++] = static_cast<std::uint8_t>(c - '0');
  }
};

bool is_card(const Digits& number) {
  std::uint32_t prefix = 0;
  for (std::size_t i = 0; i < 6; ++i) prefix = prefix * 10 + number.values[i];
  const bool issued = std::ranges::any_of(kIssuers, [&](const Issuer& issuer) {
    return prefix >= issuer.from && prefix <= issuer.to && (issuer.lengths >> number.count & 1) != 0;
  });
  if (!issued) return false;
  // Luhn: every second digit from the right counts twice, its digits added up.
  unsigned sum = 0;
  for (std::size_t i = 0; i < number.count; ++i) {
    const unsigned digit = number.values[number.count - 1 - i];
    sum += i % 2 == 0 ? digit : digit * 2 - (digit > 4 ? 9 : 0);
  }
  return sum % 10 == 0;
}

std::size_t count_digits(std::string_view text, std::size_t at, std::size_t max) {
  std::size_t count = 0;
  while (count < max && is(byte_at(text, at + count), kDigit)) ++count;
  return count;
}

// Whether a card may end here: not in the middle of a word, nor of a number or an id.
bool card_ends_at(std::string_view text, std::size_t at) {
  const char next = byte_at(text, at);
  if (is(next, kAlnum)) return false;
  return !((next == '.' || next == '-') && is(byte_at(text, at + 1), kDigit));
}

// Digits in groups of these sizes, with the same separator between all of them.
Span grouped_card_at(std::string_view text, std::size_t at) {
  using Layout = std::array<std::uint8_t, 5>;
  static constexpr std::array kLayouts = {Layout{4, 4, 4, 4, 3}, Layout{4, 4, 4, 4, 0}, Layout{4, 6, 5, 0, 0},
                                          Layout{4, 6, 4, 0, 0}};
  const char separator = byte_at(text, at + 4);
  if (separator != ' ' && separator != '-' && separator != '.') return {};
  for (const Layout& layout : kLayouts) {
    Digits number;
    std::size_t end = at;
    for (const std::size_t size : layout) {
      if (size == 0) break;
      if (number.count > 0 && byte_at(text, end++) != separator) {
        number.count = 0;
        break;
      }
      if (count_digits(text, end, size) < size) {
        number.count = 0;
        break;
      }
      number.add(text.substr(end, size));
      end += size;
    }
    if (number.count > 0 && card_ends_at(text, end) && is_card(number)) return {at, end};
  }
  return {};
}

// -- IPv4 -------------------------------------------------------------------------------------------------

struct Quad {
  std::array<unsigned, 4> numbers{};
  std::size_t end = 0;  // 0: it is none
};

// Four numbers to 255, without zeros in front; no more digits behind the last one.
Quad quad_at(std::string_view text, std::size_t at) {
  Quad quad;
  for (std::size_t i = 0; i < quad.numbers.size(); ++i) {
    if (i > 0 && byte_at(text, at++) != '.') return {};
    const std::size_t count = count_digits(text, at, 4);
    if (count == 0 || count > 3 || (count > 1 && text[at] == '0')) return {};
    for (const std::size_t end = at + count; at < end; ++at)
      quad.numbers[i] = quad.numbers[i] * 10 + static_cast<unsigned>(text[at] - '0');
    if (quad.numbers[i] > 255) return {};
  }
  quad.end = at;
  return quad;
}

// -- IPv6 -------------------------------------------------------------------------------------------------

constexpr std::size_t kGroups = 8;

bool ipv6_ends_at(std::string_view text, std::size_t at, bool dotted) {
  const char next = byte_at(text, at), second = byte_at(text, at + 1);
  if (is(next, kWord) || (next == '.' && is(second, kDigit))) return false;
  return next != ':' || dotted || !is(second, kHex | kColon);
}

// Where the longest address that begins here ends; 0 when there is none.
std::size_t ipv6_end(std::string_view text, std::size_t begin) {
  std::size_t at = begin, groups = 0, best = 0;
  bool gap = text.substr(begin, 2) == "::";
  const auto accept = [&](std::size_t end, bool dotted) {
    if (end > best && ipv6_ends_at(text, end, dotted)) best = end;
  };
  if (gap) at += 2;
  while (groups < kGroups) {
    std::size_t end = at;
    while (end - at < 5 && is(byte_at(text, end), kHex)) ++end;
    if (end == at || end - at > 4) break;
    if (byte_at(text, end) == '.' && (gap ? groups + 2 < kGroups : groups + 2 == kGroups)) {
      const Quad quad = quad_at(text, at);
      if (quad.end != 0) accept(quad.end, true);
    }
    ++groups;
    if (gap ? groups < kGroups : groups == kGroups) accept(end, false);
    if (byte_at(text, end) != ':') break;
    at = end + 1;
    if (byte_at(text, at) != ':') continue;
    if (gap) break;
    gap = true;
    ++at;
    if (groups < kGroups) accept(at, false);
  }
  return best;
}

// What stands before the colon is a name and not a group: "peer:fe80::1".
bool is_name_before(std::string_view text, std::size_t colon) {
  std::size_t at = colon;
  bool name = false;
  while (at > 0 && is(text[at - 1], kWord)) name = !is(text[--at], kHex) || name;
  return at == colon ? colon == 0 || !is(text[colon - 1], kDot | kColon) : name;
}

}  // namespace

Span credit_card_at(std::string_view text, std::size_t at) {
  if (at > 0 && is(text[at - 1], kAlnum)) return {};
  if (at > 1 && (text[at - 1] == '.' || text[at - 1] == '-') && is(text[at - 2], kDigit)) return {};
  const std::size_t count = count_digits(text, at, kCardDigitsMax + 1);
  if (count == 4) return grouped_card_at(text, at);
  if (count < kCardDigitsMin || count > kCardDigitsMax || !card_ends_at(text, at + count)) return {};
  Digits number;
  number.add(text.substr(at, count));
  return is_card(number) ? Span{at, at + count} : Span{};
}

Span ipv4_at(std::string_view text, std::size_t dot) {
  std::size_t begin = dot;
  while (begin > 0 && dot - begin < 3 && is(text[begin - 1], kDigit)) --begin;
  if (begin > 0 && is(text[begin - 1], kAlnum)) return {};
  if (begin > 1 && text[begin - 1] == '.' && is(text[begin - 2], kDigit)) return {};
  const Quad quad = quad_at(text, begin);
  if (quad.end == 0) return {};
  const char next = byte_at(text, quad.end);
  if (is(next, kAlnum) || (next == '.' && is(byte_at(text, quad.end + 1), kDigit))) return {};
  // "Chrome/120.0.0.0" is a version, "localhost/127.0.0.1" is none.
  const bool product = begin > 1 && text[begin - 1] == '/' && is(text[begin - 2], kLetter);
  if (product && quad.numbers[2] == 0 && quad.numbers[3] == 0) return {};
  return {begin, quad.end};
}

Span ipv6_around(std::string_view text, std::size_t colon, std::size_t& run_end) {
  constexpr unsigned kRun = kHex | kColon | kDot;
  std::size_t begin = colon;
  while (begin > 0 && is(text[begin - 1], kRun)) --begin;
  run_end = colon + 1;
  while (is(byte_at(text, run_end), kRun)) ++run_end;
  std::size_t end = 0;
  if (begin == 0 || !is(text[begin - 1], kWord)) end = ipv6_end(text, begin);
  if (end == 0) {
    const std::size_t first = text.find(':', begin);
    if (byte_at(text, first + 1) == ':' || !is_name_before(text, first)) return {};
    begin = first + 1;
    end = ipv6_end(text, begin);
  }
  // "dead::beef" may be a name in a program.
  const bool has_digit =
      end != 0 && std::ranges::any_of(text.substr(begin, end - begin), [](char c) { return is(c, kDigit); });
  return has_digit ? Span{begin, end} : Span{};
}

}  // namespace logflume::redact
