// Values as others write them down.
#pragma once

#include <string>

#include "expression/value.h"

namespace logflume {

// How a field holds it. A list is kept as JSON; a fault is no value.
ValueKind kind_of(Value::Tag tag);
// The same the other way round.
Value::Tag tag_of(ValueKind kind);

// As JSON: times and texts quoted; what JSON has no word for (NaN, a fault) is null.
void append_json(const Value& value, std::string& out);

}  // namespace logflume
