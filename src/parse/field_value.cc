#include "parse/field_value.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/characters.h"
#include "base/civil_time.h"

namespace logflume {
namespace {

// Up to 18 digits without a zero in front, perhaps behind a minus: what is printed as it was read.
bool plain_int(std::string_view text, std::int64_t& value) {
  const bool minus = !text.empty() && text[0] == '-';
  if (minus) text.remove_prefix(1);
  if (text.empty() || text.size() > 18 || (text[0] == '0' && (text.size() > 1 || minus))) return false;
  std::int64_t number = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    number = number * 10 + (c - '0');
  }
  value = minus ? -number : number;
  return true;
}

ParseFault int_value(const Columns& columns, std::string_view text, ValueKind& kind, Slot& slot) {
  std::int64_t value = 0;
  if (!plain_int(text, value)) {
    const std::string_view digits = text.substr(!text.empty() && (text[0] == '+' || text[0] == '-') ? 1 : 0);
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos)
      return ParseFault::kNumber;
    const std::string_view number = text[0] == '+' ? digits : text;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error != std::errc()) {
      kind = ValueKind::kNumber;
      slot = Slot::of(columns.ref(number));
      return is_json_number(number) ? ParseFault::kNone : ParseFault::kNumber;
    }
  }
  kind = ValueKind::kInt;
  slot = Slot::of(value);
  return ParseFault::kNone;
}

ParseFault double_value(const Columns& columns, std::string_view text, ValueKind& kind, Slot& slot) {
  if (is_json_number(text)) {
    kind = ValueKind::kNumber;
    slot = Slot::of(columns.ref(text));
    return ParseFault::kNone;
  }
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return ParseFault::kNumber;
  kind = ValueKind::kDouble;
  slot = Slot::of(value);
  return ParseFault::kNone;
}

ParseFault bool_value(std::string_view text, ValueKind& kind, Slot& slot) {
  static constexpr std::array<std::pair<std::string_view, bool>, 10> kWords = {{{"true", true},
                                                                                {"false", false},
                                                                                {"True", true},
                                                                                {"False", false},
                                                                                {"TRUE", true},
                                                                                {"FALSE", false},
                                                                                {"yes", true},
                                                                                {"no", false},
                                                                                {"1", true},
                                                                                {"0", false}}};
  for (const auto& [word, value] : kWords) {
    if (text != word) continue;
    kind = ValueKind::kBool;
    slot = Slot::of(value);
    return ParseFault::kNone;
  }
  return ParseFault::kSyntax;
}

}  // namespace

std::optional<FieldType> parse_field_type(std::string_view name) {
  if (name == "string") return FieldType::kString;
  if (name == "int") return FieldType::kInt;
  if (name == "double" || name == "float") return FieldType::kDouble;
  if (name == "bool") return FieldType::kBool;
  if (name == "timestamp") return FieldType::kTimestamp;
  return std::nullopt;
}

ParseFault field_value(const Columns& columns, std::string_view text, FieldType type, ValueKind& kind,
                       Slot& slot) {
  switch (type) {
    case FieldType::kString:
      kind = ValueKind::kString;
      slot = Slot::of(columns.ref(text));
      return ParseFault::kNone;
    case FieldType::kInt:
      return int_value(columns, text, kind, slot);
    case FieldType::kDouble:
      return double_value(columns, text, kind, slot);
    case FieldType::kBool:
      return bool_value(text, kind, slot);
    case FieldType::kTimestamp: {
      const auto ns = parse_rfc3339(text);
      if (!ns) return ParseFault::kTime;
      kind = ValueKind::kTimestamp;
      slot = Slot::of(*ns);
      return ParseFault::kNone;
    }
  }
  return ParseFault::kSyntax;
}

bool is_json_number(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto digits = [&] {
    const char* const begin = at;
    while (at < end && is_digit(*at)) ++at;
    return at > begin;
  };
  if (at < end && *at == '-') ++at;
  if (at < end && *at == '0') {
    ++at;
  } else if (!digits()) {
    return false;
  }
  if (at < end && *at == '.') {
    ++at;
    if (!digits()) return false;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at < end && (*at == '+' || *at == '-')) ++at;
    if (!digits()) return false;
  }
  return at == end;
}

}  // namespace logflume
