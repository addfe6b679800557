// Values and types of expressions while they are computed. Fields hold ValueKind (event/columns.h); between
// operations there are lists and errors too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "event/columns.h"

namespace logflume {

// What is known of a value before there is one.
enum class ExprType : std::uint8_t {
  kDyn,  // only known when it is there
  kNull,
  kBool,
  kInt,
  kDouble,
  kString,
  kTimestamp,
  kDuration,
  kList,
  kMap,
};
std::string_view to_text(ExprType type);

// Why there is no value. As in CEL, an error is absorbed by && and || where the other side decides.
enum class ExprFault : std::uint8_t {
  kNoField = 1,  // the event has no such field, or an object no such key
  kType,         // the operation is not defined for values of these types
  kOverflow,     // the result does not fit 64 bits
  kDivision,     // by zero
  kConversion,   // the text is no number, time, ...
  kIndex,        // a list has no such element
  kMatchLimit,   // a regular expression ran into its limits
  kTooLarge,     // a text or list would be larger than an expression may make
};
constexpr std::size_t kExprFaults = 9;      // with 0
std::string_view to_text(ExprFault fault);  // as a metric's reason: "no_such_field"

// Trivial, 16 bytes. Texts and lists are views: into columns, the program's constants, or the arena of the
// evaluation.
struct Value {
  enum class Tag : std::uint8_t {
    kFault,
    kNull,
    kBool,
    kInt,
    kDouble,
    kTimestamp,
    kDuration,
    kString,
    kNumber,  // as ValueKind::kNumber
    kJson,    // as ValueKind::kJson
    kList,
  };

  union {
    std::int64_t integer = 0;
    double real;
    const char* data;
    const Value* items;
  };
  std::uint32_t size = 0;  // of data, items
  Tag tag = Tag::kNull;
  ExprFault fault{};
  std::uint16_t unused = 0;  // without a hole it is copied as a whole; two overlapping halves cost a stall

  static Value of(bool value) { return make(Tag::kBool, value ? 1 : 0); }
  static Value of(std::int64_t value) { return make(Tag::kInt, value); }
  static Value of(double value) {
    Value made;
    made.tag = Tag::kDouble;
    made.real = value;
    return made;
  }
  static Value of(std::string_view text, Tag tag = Tag::kString) {
    Value made;
    made.tag = tag;
    made.data = text.data();
    made.size = static_cast<std::uint32_t>(text.size());
    return made;
  }
  static Value of(ExprFault fault) {
    Value made;
    made.tag = Tag::kFault;
    made.fault = fault;
    return made;
  }
  static Value list(const Value* items, std::size_t count) {
    Value made;
    made.tag = Tag::kList;
    made.items = items;
    made.size = static_cast<std::uint32_t>(count);
    return made;
  }
  static Value make(Tag tag, std::int64_t integer) {
    Value made;
    made.tag = tag;
    made.integer = integer;
    return made;
  }

  bool is_fault() const { return tag == Tag::kFault; }
  bool is(Tag other) const { return tag == other; }
  bool is_true() const { return tag == Tag::kBool && integer != 0; }
  std::string_view text() const { return {data, size}; }
};
static_assert(sizeof(Value) == 16);

// Three answers: 0 no, 1 yes, and kFaulty + the fault.
using Truth = std::uint8_t;
constexpr Truth kFalse = 0;
constexpr Truth kTrue = 1;
constexpr Truth kFaulty = 0x80;
inline Truth truth_of(const Value& value) {
  if (value.tag == Value::Tag::kBool) return value.integer != 0 ? kTrue : kFalse;
  return static_cast<Truth>(kFaulty | static_cast<Truth>(value.is_fault() ? value.fault : ExprFault::kType));
}
inline Value value_of(Truth truth) {
  return truth < kFaulty ? Value::of(truth == kTrue) : Value::of(static_cast<ExprFault>(truth & ~kFaulty));
}

}  // namespace logflume
