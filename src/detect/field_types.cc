#include "detect/field_types.h"

#include <algorithm>
#include <array>
#include <functional>
#include <string_view>

#include "base/characters.h"
#include "parse/field_value.h"
#include "parse/time_format.h"

namespace logflume {
namespace {

// What a text can be read as, and is written as: "007" and "1e3" are not numbers to their users.
bool is_int(std::string_view text) {
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  return !digits.empty() && digits.size() <= 18 && (digits[0] != '0' || text.size() == 1) &&
         std::ranges::all_of(digits, is_digit);
}
bool is_double(std::string_view text) {
  return is_json_number(text) && text.find_first_of("eE") == std::string_view::npos;
}
bool is_bool(std::string_view text) { return text == "true" || text == "false"; }
bool is_timestamp(std::string_view text) {
  static const TimeFormat format = *TimeFormat::compile("rfc3339");
  return text.size() > 10 && format.parse(text, 0).has_value();
}

struct TextType {
  std::string_view name;
  bool (*is)(std::string_view text);
};
constexpr std::array kTextTypes = {TextType{"int", is_int}, TextType{"double", is_double},
                                   TextType{"bool", is_bool}, TextType{"timestamp", is_timestamp}};

std::string_view kind_name(ValueKind kind, std::string_view text) {
  switch (kind) {
    case ValueKind::kBool:
      return "bool";
    case ValueKind::kInt:
      return "int";
    case ValueKind::kNumber:
      return is_int(text) ? "int" : "double";
    case ValueKind::kDouble:
      return "double";
    case ValueKind::kTimestamp:
      return "timestamp";
    case ValueKind::kJson:
      return "object";
    default:
      return "string";
  }
}

DetectedField detect_field(const Trial& trial, const Column& column) {
  DetectedField field;
  field.name = column.name();
  std::vector<TextType> possible(kTextTypes.begin(), kTextTypes.end());
  std::size_t values = 0;
  bool texts = true;
  for (const std::uint32_t row : trial.rows) {
    const std::size_t at = column.find(row);
    if (at == Column::kNone) continue;
    ++field.events;
    const ValueKind kind = column.kind_at(at);
    if (kind == ValueKind::kNull) continue;
    const std::string text = value_text(trial.columns, column, row);
    if (values++ == 0) field.sample = text;
    if (kind == ValueKind::kString) {
      std::erase_if(possible, [&text](const TextType& type) { return !type.is(text); });
    } else {
      texts = false;
    }
    const std::string_view type = kind_name(kind, text);
    if (field.type.empty()) {
      field.type = type;
    } else if (field.type != type) {
      const bool numbers =
          (field.type == "int" && type == "double") || (field.type == "double" && type == "int");
      field.type = numbers ? "double" : "string";
    }
  }
  if (values == 0) {
    field.type = "null";
  } else if (texts && !possible.empty()) {
    field.type = possible.front().name;
    field.made = true;
  }
  return field;
}

bool is_time_name(std::string_view name) {
  static constexpr std::array<std::string_view, 13> kNames = {
      "timestamp", "time",       "ts",        "@timestamp", "datetime",   "date",         "t",
      "log_time",  "event_time", "logged_at", "created_at", "time_local", "timestamp8601"};
  std::string lower;
  for (const char c : name) lower.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c);
  return std::ranges::find(kNames, lower) != kNames.end();
}

constexpr std::array<std::string_view, 21> kTimeFormats = {"rfc3339",
                                                           "%Y-%m-%d %H:%M:%S,%f",
                                                           "%Y-%m-%d %H:%M:%S.%f",
                                                           "%Y-%m-%d %H:%M:%S",
                                                           "%Y-%m-%d %H:%M:%S.%f %z",
                                                           "%Y-%m-%d %H:%M:%S,%f %z",
                                                           "%Y-%m-%d %H:%M:%S %z",
                                                           "%Y-%m-%dT%H:%M:%S,%f",
                                                           "%Y-%m-%dT%H:%M:%S.%f",
                                                           "%Y-%m-%dT%H:%M:%S",
                                                           "%Y-%m-%dT%H:%M:%S.%f%z",
                                                           "%Y-%m-%dT%H:%M:%S%z",
                                                           "%Y/%m/%d %H:%M:%S",
                                                           "%Y/%m/%d %H:%M:%S.%f",
                                                           "%d/%b/%Y:%H:%M:%S %z",
                                                           "%d %b %Y %H:%M:%S.%f",
                                                           "%d %b %Y %H:%M:%S",
                                                           "%a %b %d %H:%M:%S.%f %Y",
                                                           "%a %b %d %H:%M:%S %Y",
                                                           "%b %d %H:%M:%S",
                                                           "epoch"};

// No log is from before 2000, or from a time that is far off.
bool is_plausible(std::int64_t ns, std::int64_t now_ns) {
  constexpr std::int64_t kYear2000 = 946'684'800'000'000'000, kYear = 31'557'600'000'000'000;
  return ns >= kYear2000 && ns < now_ns + 10 * kYear;
}

}  // namespace

std::vector<DetectedField> detect_fields(const Trial& trial) {
  std::vector<DetectedField> fields;
  for (std::size_t i = 0; i < trial.columns.size(); ++i) {
    DetectedField field = detect_field(trial, trial.columns.at(i));
    if (field.events > 0) fields.push_back(std::move(field));
  }
  return fields;
}

std::optional<DetectedTime> detect_time(const Trial& trial, const std::vector<DetectedField>& fields,
                                        std::int64_t now_ns) {
  for (const DetectedField& field : fields) {
    if (field.type == "timestamp" && !field.made) return std::nullopt;
  }
  for (const DetectedField& field : fields) {
    if (!is_time_name(field.name) || field.type == "object" || field.type == "null") continue;
    const Column& column = *trial.columns.find(field.name);
    for (const std::string_view name : kTimeFormats) {
      const auto format = TimeFormat::compile(name);
      const bool fits = std::ranges::all_of(trial.rows, [&](std::uint32_t row) {
        const std::size_t at = column.find(row);
        if (at == Column::kNone || column.kind_at(at) == ValueKind::kNull) return true;
        const auto ns = format->parse(value_text(trial.columns, column, row), now_ns);
        return ns && is_plausible(*ns, now_ns);
      });
      if (fits) return DetectedTime{field.name, std::string(name)};
    }
  }
  return std::nullopt;
}

}  // namespace logflume
