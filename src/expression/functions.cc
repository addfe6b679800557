#include "expression/functions.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <iterator>
#include <optional>
#include <utility>

#include "base/characters.h"
#include "base/civil_time.h"
#include "base/ip_address.h"

namespace logflume {
namespace {

using Tag = Value::Tag;
using enum ExprType;

Value fault(ExprFault fault) { return Value::of(fault); }
bool are_texts(const Value* arguments, std::size_t count) {
  return std::all_of(arguments, arguments + count, [](const Value& value) { return value.is(Tag::kString); });
}

// -- Text ---------------------------------------------------------------------------------------------------

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

// -- Numbers ------------------------------------------------------------------------------------------------

Value to_int(Evaluation& /*evaluation*/, const Value* arguments, std::size_t /*count*/) {
  Value value = plain(arguments[0]);
  if (value.is(Tag::kString)) {
    value = as_number(value.text());
    return value.is(Tag::kInt) ? value : fault(ExprFault::kConversion);
  }
  if (value.is(Tag::kDouble)) {
    constexpr double kBeyond = 9223372036854775808.0;  // 2^63
    if (!(value.real > -kBeyond && value.real < kBeyond)) return fault(ExprFault::kOverflow);
    return Value::of(static_cast<std::int64_t>(value.real));
  }
  if (value.is(Tag::kTimestamp)) {  // seconds, downwards
    const std::int64_t second = 1'000'000'000;
    return Value::of(value.integer / second - (value.integer % second < 0 ? 1 : 0));
  }
  return value.is(Tag::kInt) || value.is_fault() ? value : fault(ExprFault::kType);
}

Value to_double(Evaluation& /*evaluation*/, const Value* arguments, std::size_t /*count*/) {
  const Value& argument = arguments[0];
  const Value value = argument.is(Tag::kString) ? as_number(argument.text()) : plain(argument);
  if (value.is(Tag::kInt)) return Value::of(static_cast<double>(value.integer));
  return value.is(Tag::kDouble) || value.is_fault() ? value : fault(ExprFault::kType);
}

Value to_bool(Evaluation& /*evaluation*/, const Value* arguments, std::size_t /*count*/) {
  if (arguments[0].is(Tag::kBool)) return arguments[0];
  if (!arguments[0].is(Tag::kString)) return fault(ExprFault::kType);
  static constexpr std::array<std::string_view, 5> kTrue = {"true", "True", "TRUE", "t", "1"};
  static constexpr std::array<std::string_view, 5> kFalse = {"false", "False", "FALSE", "f", "0"};
  const std::string_view text = arguments[0].text();
  if (std::ranges::find(kTrue, text) != kTrue.end()) return Value::of(true);
  if (std::ranges::find(kFalse, text) != kFalse.end()) return Value::of(false);
  return fault(ExprFault::kConversion);
}

Value absolute(Evaluation& /*evaluation*/, const Value* arguments, std::size_t /*count*/) {
  const Value number = plain(arguments[0]);
  if (number.is(Tag::kDouble)) return Value::of(std::fabs(number.real));
  if (!number.is(Tag::kInt)) return number.is_fault() ? number : fault(ExprFault::kType);
  return number.integer < 0 ? negative(number) : number;
}

template <Order kWanted>
Value extreme(Evaluation& /*evaluation*/, const Value* arguments, std::size_t count) {
  Value best = plain(arguments[0]);
  for (std::size_t i = 0; i < count; ++i) {
    const Value number = plain(arguments[i]);
    if (number.is_fault()) return number;
    if (!number.is(Tag::kInt) && !number.is(Tag::kDouble)) return fault(ExprFault::kType);
    if (order(number, best) == kWanted) best = number;
  }
  return best;
}

template <double (*kRound)(double)>
Value rounded(Evaluation& evaluation, const Value* arguments, std::size_t count) {
  const Value number = to_double(evaluation, arguments, count);
  return number.is_fault() ? number : Value::of(kRound(number.real));
}

// -- Times --------------------------------------------------------------------------------------------------

// "1h2m3.5s", "-90s", "250ms": as Go writes them.
std::optional<std::int64_t> parse_span(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::int64_t>, 7> kUnits = {
      {{"ns", 1},
       {"us", 1'000},
       {"ms", 1'000'000},
       {"s", 1'000'000'000},
       {"m", 60'000'000'000},
       {"h", 3'600'000'000'000},
       {"d", 86'400'000'000'000}}};
  const bool minus = text.starts_with('-');
  if (minus || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return 0;
  std::int64_t total = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    const std::size_t unit_at = text.find_first_not_of("0123456789.");
    if (unit_at == 0 || unit_at == std::string_view::npos) return std::nullopt;
    const std::string_view number = text.substr(0, unit_at);
    text.remove_prefix(unit_at);
    const std::string_view name = text.substr(0, std::min(text.find_first_of("0123456789."), text.size()));
    text.remove_prefix(name.size());
    const auto unit = std::ranges::find(kUnits, name, &std::pair<std::string_view, std::int64_t>::first);
    if (unit == kUnits.end()) return std::nullopt;
    const std::size_t point = std::min(number.find('.'), number.size());
    std::int64_t whole = 0, part = 0;
    if (point > 0) {
      const auto [end, error] = std::from_chars(number.data(), number.data() + point, whole);
      if (error != std::errc() || end != number.data() + point) return std::nullopt;
    }
    std::int64_t scale = unit->second;
    for (std::size_t i = point + 1; i < number.size(); ++i) {
      if (number[i] == '.') return std::nullopt;
      scale /= 10;
      part += (number[i] - '0') * scale;
    }
    if (number == "." || __builtin_mul_overflow(whole, unit->second, &whole) ||
        __builtin_add_overflow(whole, part, &whole) || __builtin_add_overflow(total, whole, &total))
      return std::nullopt;
  }
  return minus ? -total : total;
}

Value to_timestamp(Evaluation& /*evaluation*/, const Value* arguments, std::size_t /*count*/) {
  const Value value = plain(arguments[0]);
  std::int64_t ns = 0;
  if (value.is(Tag::kTimestamp)) return value;
  if (value.is(Tag::kInt)) {
    if (__builtin_mul_overflow(value.integer, std::int64_t{1'000'000'000}, &ns))
      return fault(ExprFault::kOverflow);
    return Value::make(Tag::kTimestamp, ns);
  }
  if (!value.is(Tag::kString)) return value.is_fault() ? value : fault(ExprFault::kType);
  const auto parsed = parse_rfc3339(value.text());
  return parsed ? Value::make(Tag::kTimestamp, *parsed) : fault(ExprFault::kConversion);
}

Value to_duration(Evaluation& /*evaluation*/, const Value* arguments, std::size_t /*count*/) {
  if (arguments[0].is(Tag::kDuration)) return arguments[0];
  if (!arguments[0].is(Tag::kString)) return fault(ExprFault::kType);
  const auto parsed = parse_span(arguments[0].text());
  return parsed ? Value::make(Tag::kDuration, *parsed) : fault(ExprFault::kConversion);
}

Value now(Evaluation& evaluation, const Value* /*arguments*/, std::size_t /*count*/) {
  return Value::make(Tag::kTimestamp, evaluation.now_ns());
}

// A part of a timestamp, in UTC or with an offset; or of a duration, of which it is the whole.
template <auto kPart, std::int64_t kUnitNs = 0>
Value part(Evaluation& /*evaluation*/, const Value* arguments, std::size_t count) {
  if (arguments[0].is(Tag::kDuration) && kUnitNs > 0 && count == 1)
    return Value::of(arguments[0].integer / kUnitNs);
  if (!arguments[0].is(Tag::kTimestamp)) return fault(ExprFault::kType);
  int offset = 0;
  if (count > 1) {
    if (!arguments[1].is(Tag::kString)) return fault(ExprFault::kType);
    const auto parsed = parse_utc_offset(arguments[1].text());
    if (!parsed) return fault(ExprFault::kConversion);
    offset = *parsed;
  }
  return Value::of(std::int64_t{kPart(civil_time(arguments[0].integer, offset))});
}

// -- Anything -----------------------------------------------------------------------------------------------

Value to_string(Evaluation& evaluation, const Value* arguments, std::size_t /*count*/) {
  const Value& value = arguments[0];
  if (value.is(Tag::kString)) return value;
  if (value.is(Tag::kNumber) || value.is(Tag::kJson)) return Value::of(value.text());
  if (value.is(Tag::kList) || value.is(Tag::kNull)) return fault(ExprFault::kType);
  return evaluation.texts.keep(to_text(value), Tag::kString);
}

Value type_name(Evaluation& /*evaluation*/, const Value* arguments, std::size_t /*count*/) {
  const Value value = plain(arguments[0]);
  switch (value.tag) {
    case Tag::kNull:
      return Value::of(std::string_view("null_type"));
    case Tag::kBool:
      return Value::of(to_text(kBool));
    case Tag::kInt:
      return Value::of(to_text(kInt));
    case Tag::kDouble:
      return Value::of(to_text(kDouble));
    case Tag::kTimestamp:
      return Value::of(to_text(kTimestamp));
    case Tag::kDuration:
      return Value::of(to_text(kDuration));
    case Tag::kString:
      return Value::of(to_text(kString));
    case Tag::kList:
      return Value::of(to_text(kList));
    case Tag::kJson:
      return Value::of(to_text(value.text().starts_with('[') ? kList : kMap));
    case Tag::kNumber:
    case Tag::kFault:
      break;
  }
  return value;
}

const std::vector<ExprFunction>& table() {
  using enum ExprForm;
  const auto time_part = [](std::string_view name, ExprFunctionBody body, bool of_duration,
                            std::string_view doc, std::string_view example, std::string_view result) {
    ExprFunction function{name,    kMethod, {{{kTimestamp}, kInt}, {{kTimestamp, kString}, kInt}},
                          body,    doc,     "constant",
                          example, result};
    if (of_duration) function.signatures.push_back({{kDuration}, kInt});
    return function;
  };
  static const std::vector<ExprFunction> functions = {
      {"has",
       kFunction,
       {{{kDyn}, kBool}},
       nullptr,
       "Whether the event has the field, or the object the key. The argument is a name or ends in `.key`.",
       "constant",
       R"(has(["a"].b))",
       "false"},
      {"coalesce",
       kFunction,
       {},
       nullptr,
       "The first of its arguments that is there and not null; null when none is.",
       "constant",
       R"(coalesce(null, "a", "b"))",
       R"("a")"},
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
      {"int",
       kFunction,
       {{{kInt}, kInt}, {{kDouble}, kInt}, {{kString}, kInt}, {{kTimestamp}, kInt}},
       to_int,
       "A whole number: of a double without its fraction, of a text, of a timestamp its seconds since 1970.",
       "constant",
       R"(int("42"))",
       "42"},
      {"double",
       kFunction,
       {{{kInt}, kDouble}, {{kDouble}, kDouble}, {{kString}, kDouble}},
       to_double,
       "A number with a fraction, also of a text.",
       "constant",
       R"(double("0.25"))",
       "0.25"},
      {"string",
       kFunction,
       {{{kString}, kString},
        {{kInt}, kString},
        {{kDouble}, kString},
        {{kBool}, kString},
        {{kTimestamp}, kString},
        {{kDuration}, kString},
        {{kMap}, kString}},
       to_string,
       "As text: a timestamp as RFC 3339, a duration in seconds, an object as its JSON.",
       "a copy",
       "string(1.5)",
       R"("1.5")"},
      {"bool",
       kFunction,
       {{{kBool}, kBool}, {{kString}, kBool}},
       to_bool,
       "Of the texts true, t, 1 and false, f, 0.",
       "constant",
       R"(bool("true"))",
       "true"},
      {"type",
       kFunction,
       {{{kDyn}, kString}},
       type_name,
       "The name of its type: null_type, bool, int, double, string, timestamp, duration, list or map.",
       "constant",
       "type(1.5)",
       R"("double")"},
      {"timestamp",
       kFunction,
       {{{kTimestamp}, kTimestamp}, {{kString}, kTimestamp}, {{kInt}, kTimestamp}},
       to_timestamp,
       "A point in time, of RFC 3339 or of seconds since 1970.",
       "constant",
       R"(timestamp("2026-01-02T03:04:05Z") < timestamp(1800000000))",
       "true"},
      {"duration",
       kFunction,
       {{{kDuration}, kDuration}, {{kString}, kDuration}},
       to_duration,
       "A length of time, of numbers with the units d, h, m, s, ms, us, ns.",
       "constant",
       R"(duration("1h30m") == duration("5400s"))",
       "true"},
      {"now",
       kFunction,
       {{{}, kTimestamp}},
       now,
       "When this is computed; the same for all events that are computed together.",
       "constant",
       R"(now() > timestamp("2026-01-01T00:00:00Z"))",
       "true"},
      time_part("getFullYear", part<[](const CivilTime& t) { return t.year; }>, false, "The year.",
                R"(timestamp("2026-01-02T03:04:05Z").getFullYear())", "2026"),
      time_part("getMonth", part<[](const CivilTime& t) { return t.month - 1; }>, false, "The month, from 0.",
                R"(timestamp("2026-01-02T03:04:05Z").getMonth())", "0"),
      time_part("getDate", part<[](const CivilTime& t) { return t.day; }>, false,
                "The day of the month, from 1.", R"(timestamp("2026-01-02T03:04:05Z").getDate())", "2"),
      time_part("getDayOfMonth", part<[](const CivilTime& t) { return t.day - 1; }>, false,
                "The day of the month, from 0.", R"(timestamp("2026-01-02T03:04:05Z").getDayOfMonth())", "1"),
      time_part("getDayOfWeek", part<[](const CivilTime& t) { return t.weekday; }>, false,
                "The day of the week, 0 for Sunday.", R"(timestamp("2026-01-02T03:04:05Z").getDayOfWeek())",
                "5"),
      time_part("getDayOfYear", part<[](const CivilTime& t) { return t.day_of_year; }>, false,
                "The day of the year, from 0.", R"(timestamp("2026-02-02T03:04:05Z").getDayOfYear())", "32"),
      time_part("getHours", part<[](const CivilTime& t) { return t.hour; }, 3'600'000'000'000>, true,
                "The hour, in UTC or at an offset such as \"+01:00\"; of a duration its whole hours.",
                R"(timestamp("2026-01-02T23:04:05Z").getHours("+02:00"))", "1"),
      time_part("getMinutes", part<[](const CivilTime& t) { return t.minute; }, 60'000'000'000>, true,
                "The minute; of a duration its whole minutes.", R"(duration("1h30m").getMinutes())", "90"),
      time_part("getSeconds", part<[](const CivilTime& t) { return t.second; }, 1'000'000'000>, true,
                "The second; of a duration its whole seconds.", R"(duration("90s").getSeconds())", "90"),
      time_part("getMilliseconds",
                part<[](const CivilTime& t) { return t.nanosecond / 1'000'000; }, 1'000'000>, true,
                "The milliseconds of the second; of a duration its whole milliseconds.",
                R"(timestamp("2026-01-02T03:04:05.678Z").getMilliseconds())", "678"),
      {"abs",
       kFunction,
       {{{kInt}, kInt}, {{kDouble}, kDouble}},
       absolute,
       "Without its sign.",
       "constant",
       "abs(-3)",
       "3"},
      {"min",
       kFunction,
       {{{kDyn, kDyn}, kDyn}},
       extreme<Order::kLess>,
       "The smaller of two numbers.",
       "constant",
       "min(2, 1.5)",
       "1.5"},
      {"max",
       kFunction,
       {{{kDyn, kDyn}, kDyn}},
       extreme<Order::kGreater>,
       "The larger of two numbers.",
       "constant",
       "max(2, 1.5)",
       "2"},
      {"floor",
       kFunction,
       {{{kDouble}, kDouble}, {{kInt}, kDouble}},
       rounded<std::floor>,
       "Rounded down.",
       "constant",
       "floor(1.7)",
       "1.0"},
      {"ceil",
       kFunction,
       {{{kDouble}, kDouble}, {{kInt}, kDouble}},
       rounded<std::ceil>,
       "Rounded up.",
       "constant",
       "ceil(1.2)",
       "2.0"},
      {"round",
       kFunction,
       {{{kDouble}, kDouble}, {{kInt}, kDouble}},
       rounded<std::round>,
       "Rounded to the nearest whole number, halves away from 0.",
       "constant",
       "round(1.5)",
       "2.0"},
      {"all",
       kMethod,
       {{{kList, kDyn, kBool}, kBool}},
       nullptr,
       "Whether a condition holds for each element, which the variable stands for.",
       "linear",
       "[1, 2].all(x, x > 0)",
       "true"},
      {"exists",
       kMethod,
       {{{kList, kDyn, kBool}, kBool}},
       nullptr,
       "Whether it holds for one of them.",
       "linear",
       "[1, 2].exists(x, x > 1)",
       "true"},
      {"exists_one",
       kMethod,
       {{{kList, kDyn, kBool}, kBool}},
       nullptr,
       "Whether it holds for just one of them.",
       "linear",
       "[1, 2, 3].exists_one(x, x > 1)",
       "false"},
      {"filter",
       kMethod,
       {{{kList, kDyn, kBool}, kList}},
       nullptr,
       "The elements that it holds for.",
       "linear",
       "[1, 2, 3].filter(x, x > 1)",
       "[2, 3]"},
      {"map",
       kMethod,
       {{{kList, kDyn, kDyn}, kList}},
       nullptr,
       "What an expression makes of each element.",
       "linear",
       "[1, 2].map(x, x * 10)",
       "[10, 20]"},
  };
  return functions;
}

}  // namespace

std::span<const ExprFunction> expression_functions() { return table(); }

std::string signature_text(const ExprFunction& function, const ExprSignature& signature) {
  const bool method = function.form != ExprForm::kFunction && !signature.parameters.empty();
  std::string out = method ? fmt::format("{}.", to_text(signature.parameters[0])) : std::string();
  out += function.name;
  out.push_back('(');
  for (std::size_t i = method ? 1 : 0; i < signature.parameters.size(); ++i) {
    if (i > (method ? 1U : 0U)) out += ", ";
    out += to_text(signature.parameters[i]);
  }
  return fmt::format("{}) -> {}", out, to_text(signature.result));
}

void append_text(const Value& value, std::string& out) {
  switch (value.tag) {
    case Tag::kFault:
      out += to_text(value.fault);
      return;
    case Tag::kNull:
      out += "null";
      return;
    case Tag::kBool:
      out += value.integer != 0 ? "true" : "false";
      return;
    case Tag::kInt:
      fmt::format_to(std::back_inserter(out), "{}", value.integer);
      return;
    case Tag::kDouble:
      if (std::isinf(value.real)) {
        out += value.real < 0 ? "-Infinity" : "Infinity";
      } else if (std::isnan(value.real)) {
        out += "NaN";
      } else {
        fmt::format_to(std::back_inserter(out), "{}", value.real);
      }
      return;
    case Tag::kTimestamp:
      out += format_rfc3339(value.integer);
      return;
    case Tag::kDuration:
      out += format_seconds(value.integer);
      return;
    case Tag::kString:
    case Tag::kNumber:
    case Tag::kJson:
      out += value.text();
      return;
    case Tag::kList:
      break;
  }
  out += '[';
  for (std::uint32_t i = 0; i < value.size; ++i) {
    const Value& item = value.items[i];
    const bool quoted = item.is(Tag::kString);
    if (i > 0) out += ", ";
    if (quoted) out += '"';
    append_text(item, out);
    if (quoted) out += '"';
  }
  out += ']';
}

std::string to_text(const Value& value) {
  std::string out;
  append_text(value, out);
  return out;
}

}  // namespace logflume
