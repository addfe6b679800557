// The operators of CEL on single values.
#pragma once

#include <cstdint>
#include <string_view>

#include "expression/value.h"

namespace logflume {

// A number of JSON as what it is: an int where its text is one that fits 64 bits, else a double.
Value as_number(std::string_view text);
inline Value plain(const Value& value) {
  return value.is(Value::Tag::kNumber) ? as_number(value.text()) : value;
}

// a == b: values of different types are not equal, but for numbers, which are compared as such. NaN equals
// nothing. A fault of either is the answer.
Value equal(const Value& a, const Value& b);

enum class Order { kLess, kEqual, kGreater, kUnordered, kNone };
// Numbers, texts (bytewise, which is the order of UTF-8's code points), bools, timestamps and durations among
// themselves; kUnordered for NaN, kNone for other pairs. REQUIRES: no faults.
Order order(const Value& a, const Value& b);

enum class Arithmetic { kAdd, kSubtract, kMultiply, kDivide, kRemainder };
// Numbers; timestamp +- duration, duration +- duration, timestamp - timestamp. Not texts and lists: see
// Evaluation. As in CEL there is no conversion between int and double, but for a number of JSON, which is
// what the other operand wants it to be.
Value arithmetic(Arithmetic operation, const Value& a, const Value& b);
Value negative(const Value& value);

}  // namespace logflume
