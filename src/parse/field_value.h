// Texts of a line as values of a type.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "parse/parser.h"

namespace logflume {

enum class FieldType : std::uint8_t { kString, kInt, kDouble, kBool, kTimestamp };
// "string", "int", "double" (also "float"), "bool", "timestamp".
std::optional<FieldType> parse_field_type(std::string_view name);

// What a text is as a value of this type: digits that are a number of JSON keep their text, so that nothing
// of an id of 20 digits is lost; "+5", "007" and ".5" become numbers. A timestamp is one of RFC 3339. `text`
// lies in the text or the arena of `columns`. Faults: kNumber, kTime, kSyntax (no bool).
ParseFault field_value(const Columns& columns, std::string_view text, FieldType type, ValueKind& kind,
                       Slot& slot);

// Whether it is a number as JSON writes them.
bool is_json_number(std::string_view text);

}  // namespace logflume
