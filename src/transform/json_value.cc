#include "transform/json_value.h"

#include <cmath>

#include "expression/functions.h"
#include "telemetry/json_text.h"

namespace logflume {

ValueKind kind_of(Value::Tag tag) {
  switch (tag) {
    case Value::Tag::kFault:
      return ValueKind::kMissing;
    case Value::Tag::kNull:
      return ValueKind::kNull;
    case Value::Tag::kBool:
      return ValueKind::kBool;
    case Value::Tag::kInt:
      return ValueKind::kInt;
    case Value::Tag::kDouble:
      return ValueKind::kDouble;
    case Value::Tag::kTimestamp:
      return ValueKind::kTimestamp;
    case Value::Tag::kDuration:
      return ValueKind::kDuration;
    case Value::Tag::kString:
      return ValueKind::kString;
    case Value::Tag::kNumber:
      return ValueKind::kNumber;
    case Value::Tag::kJson:
    case Value::Tag::kList:
      return ValueKind::kJson;
  }
  return ValueKind::kMissing;
}

Value::Tag tag_of(ValueKind kind) {
  switch (kind) {
    case ValueKind::kMissing:
      return Value::Tag::kFault;
    case ValueKind::kNull:
      return Value::Tag::kNull;
    case ValueKind::kBool:
      return Value::Tag::kBool;
    case ValueKind::kInt:
      return Value::Tag::kInt;
    case ValueKind::kDouble:
      return Value::Tag::kDouble;
    case ValueKind::kTimestamp:
      return Value::Tag::kTimestamp;
    case ValueKind::kDuration:
      return Value::Tag::kDuration;
    case ValueKind::kString:
      return Value::Tag::kString;
    case ValueKind::kNumber:
      return Value::Tag::kNumber;
    case ValueKind::kJson:
      return Value::Tag::kJson;
  }
  return Value::Tag::kFault;
}

void append_json(const Value& value, std::string& out) {
  switch (value.tag) {
    case Value::Tag::kList:
      out += '[';
      for (std::uint32_t i = 0; i < value.size; ++i) {
        if (i > 0) out += ',';
        append_json(value.items[i], out);
      }
      out += ']';
      return;
    case Value::Tag::kString:
      return append_json_string(out, value.text());
    case Value::Tag::kTimestamp:
    case Value::Tag::kDuration:
      out += '"';
      append_text(value, out);
      out += '"';
      return;
    case Value::Tag::kFault:
      out += "null";
      return;
    case Value::Tag::kDouble:
      if (!std::isfinite(value.real)) {
        out += "null";
        return;
      }
      break;
    default:
      break;
  }
  append_text(value, out);
}

}  // namespace logflume
