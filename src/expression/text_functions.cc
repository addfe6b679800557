// The functions of texts, and of addresses in them.
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>

#include "base/characters.h"
#include "base/ip_address.h"
#include "expression/function_parts.h"

namespace logflume {
namespace {

using Tag = Value::Tag;
using enum ExprType;

std::int64_t characters(std::string_view text) { return static_cast<std::int64_t>(count_characters(text)); }
// Where the character with this number begins; the text's end for the number of its characters.
std::optional<std::size_t> character_at(std::string_view text, std::int64_t number) {
  if (number < 0) return std::nullopt;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!continues_character(text[at]) && number-- == 0) return at;
  }
  return number == 0 ? std::optional(text.size()) : std::nullopt;
}

Value list_of(Evaluation& evaluation, const Value& value) {
  return value.is(Tag::kJson) ? evaluation.json.items(value.text(), evaluation.texts) : value;
}

Value size(Evaluation& evaluation, const Value* arguments, std::size_t /*count*/) {
  if (arguments[0].is(Tag::kString)) return Value::of(characters(arguments[0].text()));
  const Value items = list_of(evaluation, arguments[0]);
  if (items.is_fault()) return items;
  return items.is(Tag::kList) ? Value::of(std::int64_t{items.size}) : fault(ExprFault::kType);
}

Value contains(Evaluation& /*evaluation*/, const Value* arguments, std::size_t /*count*/) {
  if (!are_texts(arguments, 2)) return fault(ExprFault::kType);
  const std::string_view text = arguments[0].text(), wanted = arguments[1].text();
  return Value::of(wanted.empty() ||
                   ::memmem(text.data(), text.size(), wanted.data(), wanted.size()) != nullptr);
}
Value starts_with(Evaluation& /*evaluation*/, const Value* arguments, std::size_t /*count*/) {
  if (!are_texts(arguments, 2)) return fault(ExprFault::kType);
  return Value::of(arguments[0].text().starts_with(arguments[1].text()));
}
Value ends_with(Evaluation& /*evaluation*/, const Value* arguments, std::size_t /*count*/) {
  if (!are_texts(arguments, 2)) return fault(ExprFault::kType);
  return Value::of(arguments[0].text().ends_with(arguments[1].text()));
}

template <bool kLast>
Value index_of(Evaluation& /*evaluation*/, const Value* arguments, std::size_t /*count*/) {
  if (!are_texts(arguments, 2)) return fault(ExprFault::kType);
  const std::string_view text = arguments[0].text();
  const std::size_t found = kLast ? text.rfind(arguments[1].text()) : text.find(arguments[1].text());
  return Value::of(found == std::string_view::npos ? std::int64_t{-1} : characters(text.substr(0, found)));
}

Value substring(Evaluation& /*evaluation*/, const Value* arguments, std::size_t count) {
  if (!arguments[0].is(Tag::kString)) return fault(ExprFault::kType);
  const std::string_view text = arguments[0].text();
  std::array<std::size_t, 2> places = {0, text.size()};
  for (std::size_t i = 1; i < count; ++i) {
    const Value number = plain(arguments[i]);
    if (!number.is(Tag::kInt)) return number.is_fault() ? number : fault(ExprFault::kType);
    const auto place = character_at(text, number.integer);
    if (!place) return fault(ExprFault::kIndex);
    places[i - 1] = *place;
  }
  if (places[0] > places[1]) return fault(ExprFault::kIndex);
  return Value::of(text.substr(places[0], places[1] - places[0]));
}

Value trim(Evaluation& /*evaluation*/, const Value* arguments, std::size_t /*count*/) {
  if (!are_texts(arguments, 1)) return fault(ExprFault::kType);
  constexpr std::string_view kBlanks = " \t\n\r\f\v";
  const std::string_view text = arguments[0].text();
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return Value::of(text.substr(0, 0));
  return Value::of(text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin));
}

template <char kFirst>
Value with_case(Evaluation& evaluation, const Value* arguments, std::size_t /*count*/) {
  if (!are_texts(arguments, 1)) return fault(ExprFault::kType);
  const std::string_view text = arguments[0].text();
  char* const out = evaluation.texts.allocate(text.size());
  if (out == nullptr) return fault(ExprFault::kTooLarge);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    out[i] = c >= kFirst && c <= kFirst + 25 ? static_cast<char>(c ^ 0x20) : c;
  }
  return Value::of(std::string_view(out, text.size()));
}

// A limit as CEL has it: none is -1.
std::optional<std::size_t> limit(const Value* arguments, std::size_t count, std::size_t index) {
  if (count <= index) return SIZE_MAX;
  const Value number = plain(arguments[index]);
  if (!number.is(Tag::kInt)) return std::nullopt;
  return number.integer < 0 ? SIZE_MAX : static_cast<std::size_t>(number.integer);
}

Value replace(Evaluation& evaluation, const Value* arguments, std::size_t count) {
  const auto replacements = limit(arguments, count, 3);
  if (!are_texts(arguments, 3) || !replacements) return fault(ExprFault::kType);
  const std::string_view text = arguments[0].text(), from = arguments[1].text(), to = arguments[2].text();
  std::string out;
  std::size_t at = 0, done = 0;
  if (from.empty()) {  // as in CEL, in front of each character and at the end
    while (done < *replacements) {
      out += to;
      ++done;
      if (at == text.size()) break;
      do {
        out.push_back(text[at++]);
      } while (at < text.size() && continues_character(text[at]));
      if (out.size() > Arena::kBytesMax) return fault(ExprFault::kTooLarge);
    }
  }
  for (std::size_t found = 0; !from.empty() && done < *replacements; ++done, at = found + from.size()) {
    found = text.find(from, at);
    if (found == std::string_view::npos) break;
    out += text.substr(at, found - at);
    out += to;
    if (out.size() > Arena::kBytesMax) return fault(ExprFault::kTooLarge);
  }
  out += text.substr(std::min(at, text.size()));
  return evaluation.texts.keep(out, Tag::kString);
}

Value split(Evaluation& evaluation, const Value* arguments, std::size_t count) {
  const auto pieces = limit(arguments, count, 2);
  if (!are_texts(arguments, 2) || !pieces) return fault(ExprFault::kType);
  std::string_view text = arguments[0].text();
  const std::string_view separator = arguments[1].text();
  std::vector<Value> items;
  if (*pieces == 0) return evaluation.texts.list(items);
  while (items.size() + 1 < *pieces) {
    std::size_t found = text.find(separator);
    if (separator.empty()) {  // its characters
      found = text.empty() ? std::string_view::npos : 1;
      while (found < text.size() && continues_character(text[found])) ++found;
      if (found >= text.size()) found = std::string_view::npos;
    }
    if (found == std::string_view::npos) break;
    items.push_back(Value::of(text.substr(0, found)));
    text.remove_prefix(found + separator.size());
    if (items.size() > Arena::kBytesMax / sizeof(Value)) return fault(ExprFault::kTooLarge);
  }
  items.push_back(Value::of(text));
  return evaluation.texts.list(items);
}

Value join(Evaluation& evaluation, const Value* arguments, std::size_t count) {
  const Value items = list_of(evaluation, arguments[0]);
  if (items.is_fault()) return items;
  if (!items.is(Tag::kList) || (count > 1 && !arguments[1].is(Tag::kString))) return fault(ExprFault::kType);
  std::string out;
  for (std::uint32_t i = 0; i < items.size; ++i) {
    if (!items.items[i].is(Tag::kString)) return fault(ExprFault::kType);
    if (i > 0 && count > 1) out += arguments[1].text();
    out += items.items[i].text();
    if (out.size() > Arena::kBytesMax) return fault(ExprFault::kTooLarge);
  }
  return evaluation.texts.keep(out, Tag::kString);
}

Value hash(Evaluation& evaluation, const Value* arguments, std::size_t /*count*/) {
  if (!are_texts(arguments, 1)) return fault(ExprFault::kType);
  const std::string_view text = arguments[0].text();
  std::array<char, 16> digits;
  fmt::format_to(digits.data(), "{:016x}", ::XXH3_64bits(text.data(), text.size()));
  return evaluation.texts.keep({digits.data(), digits.size()}, Tag::kString);
}

// -- Addresses ----------------------------------------------------------------------------------------------

Value ip_in_cidr(Evaluation& /*evaluation*/, const Value* arguments, std::size_t /*count*/) {
  if (!are_texts(arguments, 2)) return fault(ExprFault::kType);
  const std::string_view network_text = arguments[1].text();
  const std::size_t slash = network_text.find('/');
  const auto network = parse_ip_address(network_text.substr(0, slash));
  const auto host = parse_ip_address(arguments[0].text());
  if (!network || !host) return fault(ExprFault::kConversion);
  std::size_t bits = network->count * 8;
  if (slash != std::string_view::npos) {
    const std::string_view number = network_text.substr(slash + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), bits);
    if (error != std::errc() || end != number.data() + number.size() || bits > network->count * 8)
      return fault(ExprFault::kConversion);
  }
  if (network->count != host->count) return Value::of(false);
  for (std::size_t i = 0; i < bits; i += 8) {
    const auto mask = static_cast<unsigned char>(bits - i >= 8 ? 0xFF : 0xFF << (8 - (bits - i)));
    if (((network->bytes[i / 8] ^ host->bytes[i / 8]) & mask) != 0) return Value::of(false);
  }
  return Value::of(true);
}

}  // namespace

std::vector<ExprFunction> text_functions() {
  using enum ExprForm;
  return {
      {"size",
       kBoth,
       {{{kString}, kInt}, {{kList}, kInt}, {{kMap}, kInt}},
       size,
       "Characters of a text, elements of a list, keys of an object.",
       "linear",
       R"(size("größe"))",
       "5"},
      {"contains",
       kMethod,
       {{{kString, kString}, kBool}},
       contains,
       "Whether the text holds the other.",
       "linear",
       R"("connection reset".contains("reset"))",
       "true"},
      {"startsWith",
       kMethod,
       {{{kString, kString}, kBool}},
       starts_with,
       "Whether the text begins so.",
       "constant",
       R"("/api/users".startsWith("/api"))",
       "true"},
      {"endsWith",
       kMethod,
       {{{kString, kString}, kBool}},
       ends_with,
       "Whether the text ends so.",
       "constant",
       R"("index.html".endsWith(".html"))",
       "true"},
      {"matches",
       kBoth,
       {{{kString, kString}, kBool}},
       nullptr,
       "Whether the regular expression (PCRE2; a constant) matches anywhere in the text.",
       "a search, with limits",
       R"("took 17 ms".matches("\\d+ ms$"))",
       "true"},
      {"indexOf",
       kMethod,
       {{{kString, kString}, kInt}},
       index_of<false>,
       "Characters before the first place of the other text; -1 when there is none.",
       "linear",
       R"("a,b,c".indexOf(","))",
       "1"},
      {"lastIndexOf",
       kMethod,
       {{{kString, kString}, kInt}},
       index_of<true>,
       "Characters before the last place of the other text; -1 when there is none.",
       "linear",
       R"("a,b,c".lastIndexOf(","))",
       "3"},
      {"substring",
       kMethod,
       {{{kString, kInt}, kString}, {{kString, kInt, kInt}, kString}},
       substring,
       "From one character up to another one, or to the end.",
       "linear",
       R"("2026-11-29".substring(5, 7))",
       R"("11")"},
      {"trim",
       kMethod,
       {{{kString}, kString}},
       trim,
       "Without the blanks at both ends.",
       "linear",
       R"("  a b ".trim())",
       R"("a b")"},
      {"lower",
       kBoth,
       {{{kString}, kString}},
       with_case<'A'>,
       "ASCII letters in lower case.",
       "linear, a copy",
       R"(lower("ERROR"))",
       R"("error")"},
      {"upper",
       kBoth,
       {{{kString}, kString}},
       with_case<'a'>,
       "ASCII letters in upper case.",
       "linear, a copy",
       R"(upper("get"))",
       R"("GET")"},
      {"lowerAscii",
       kMethod,
       {{{kString}, kString}},
       with_case<'A'>,
       "The same as lower.",
       "linear, a copy",
       R"("ERROR".lowerAscii())",
       R"("error")"},
      {"upperAscii",
       kMethod,
       {{{kString}, kString}},
       with_case<'a'>,
       "The same as upper.",
       "linear, a copy",
       R"("get".upperAscii())",
       R"("GET")"},
      {"replace",
       kBoth,
       {{{kString, kString, kString}, kString}, {{kString, kString, kString, kInt}, kString}},
       replace,
       "Each place of a text replaced by another one; at most so many of them.",
       "linear, a copy",
       R"("a-b-c".replace("-", "+", 1))",
       R"("a+b-c")"},
      {"split",
       kBoth,
       {{{kString, kString}, kList}, {{kString, kString, kInt}, kList}},
       split,
       "What stands between the separators; at most so many pieces.",
       "linear",
       R"("a,b,c".split(",", 2))",
       R"(["a", "b,c"])"},
      {"join",
       kMethod,
       {{{kList}, kString}, {{kList, kString}, kString}},
       join,
       "The texts of a list, with a separator between them.",
       "linear, a copy",
       R"(["a", "b"].join("-"))",
       R"("a-b")"},
      {"hash",
       kFunction,
       {{{kString}, kString}},
       hash,
       "XXH3 of the text, 64 bits as 16 hexadecimal digits. Not for secrets: `redact` has a keyed hash.",
       "linear",
       R"(hash("user-17"))",
       R"("7d94013a73497c81")"},
      {"ip_in_cidr",
       kFunction,
       {{{kString, kString}, kBool}},
       ip_in_cidr,
       "Whether an address, IPv4 or IPv6, is in a network.",
       "constant",
       R"(ip_in_cidr("10.1.2.3", "10.0.0.0/8"))",
       "true"},
  };
}

}  // namespace logflume
