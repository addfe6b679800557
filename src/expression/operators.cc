#include "expression/operators.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

namespace logflume {
namespace {

using Tag = Value::Tag;

bool is_numeric(const Value& value) { return value.is(Tag::kInt) || value.is(Tag::kDouble); }
double real_of(const Value& value) {
  return value.is(Tag::kInt) ? static_cast<double>(value.integer) : value.real;
}

Order order_of(double a, double b) {
  if (a < b) return Order::kLess;
  if (a > b) return Order::kGreater;
  return a == b ? Order::kEqual : Order::kUnordered;
}
Order order_of(std::int64_t a, std::int64_t b) {
  if (a == b) return Order::kEqual;
  return a < b ? Order::kLess : Order::kGreater;
}
// Exact: not every int is a double.
Order order_of(std::int64_t a, double b) {
  constexpr double kBeyond = 9223372036854775808.0;  // 2^63
  if (std::isnan(b)) return Order::kUnordered;
  if (b >= kBeyond) return Order::kLess;
  if (b < -kBeyond) return Order::kGreater;
  const double whole = std::floor(b);
  const Order found = order_of(a, static_cast<std::int64_t>(whole));
  return found == Order::kEqual && whole < b ? Order::kLess : found;
}
Order reversed(Order order) {
  if (order == Order::kLess) return Order::kGreater;
  return order == Order::kGreater ? Order::kLess : order;
}

Value divided(Arithmetic operation, std::int64_t a, std::int64_t b) {
  if (b == 0) return Value::of(ExprFault::kDivision);
  const bool divide = operation == Arithmetic::kDivide;
  if (b == -1) {  // of the smallest the result does not fit, and the processor traps
    if (!divide) return Value::of(std::int64_t{0});
    return a == INT64_MIN ? Value::of(ExprFault::kOverflow) : Value::of(-a);
  }
  return Value::of(divide ? a / b : a % b);
}

Value of_ints(Arithmetic operation, std::int64_t a, std::int64_t b, Tag tag = Tag::kInt) {
  std::int64_t result = 0;
  bool overflow = false;
  switch (operation) {
    case Arithmetic::kAdd:
      overflow = __builtin_add_overflow(a, b, &result);
      break;
    case Arithmetic::kSubtract:
      overflow = __builtin_sub_overflow(a, b, &result);
      break;
    case Arithmetic::kMultiply:
      overflow = __builtin_mul_overflow(a, b, &result);
      break;
    case Arithmetic::kDivide:
    case Arithmetic::kRemainder:
      return divided(operation, a, b);
  }
  return overflow ? Value::of(ExprFault::kOverflow) : Value::make(tag, result);
}

Value of_reals(Arithmetic operation, double a, double b) {
  switch (operation) {
    case Arithmetic::kAdd:
      return Value::of(a + b);
    case Arithmetic::kSubtract:
      return Value::of(a - b);
    case Arithmetic::kMultiply:
      return Value::of(a * b);
    case Arithmetic::kDivide:
      return Value::of(a / b);
    case Arithmetic::kRemainder:
      break;
  }
  return Value::of(ExprFault::kType);
}

Value of_times(Arithmetic operation, const Value& a, const Value& b) {
  const bool add = operation == Arithmetic::kAdd;
  const bool subtract = operation == Arithmetic::kSubtract;
  const bool a_time = a.is(Tag::kTimestamp), b_time = b.is(Tag::kTimestamp);
  const bool a_span = a.is(Tag::kDuration), b_span = b.is(Tag::kDuration);
  if ((add || subtract) && a_span && b_span) return of_ints(operation, a.integer, b.integer, Tag::kDuration);
  if ((add || subtract) && a_time && b_span) return of_ints(operation, a.integer, b.integer, Tag::kTimestamp);
  if (add && a_span && b_time) return of_ints(operation, a.integer, b.integer, Tag::kTimestamp);
  if (subtract && a_time && b_time) return of_ints(operation, a.integer, b.integer, Tag::kDuration);
  return Value::of(ExprFault::kType);
}

}  // namespace

Value as_number(std::string_view text) {
  const char* const end = text.data() + text.size();
  std::int64_t integer = 0;
  const auto whole_number = std::from_chars(text.data(), end, integer);
  if (whole_number.ec == std::errc() && whole_number.ptr == end) return Value::of(integer);
  double real = 0;
  const auto number = std::from_chars(text.data(), end, real);
  if (number.ptr != end || text.empty()) return Value::of(ExprFault::kConversion);
  if (number.ec == std::errc::result_out_of_range) return Value::of(ExprFault::kOverflow);
  return number.ec == std::errc() ? Value::of(real) : Value::of(ExprFault::kConversion);
}

Order order(const Value& left, const Value& right) {
  const Value a = plain(left), b = plain(right);
  if (is_numeric(a) && is_numeric(b)) {
    if (a.tag == b.tag) return a.is(Tag::kInt) ? order_of(a.integer, b.integer) : order_of(a.real, b.real);
    return a.is(Tag::kInt) ? order_of(a.integer, b.real) : reversed(order_of(b.integer, a.real));
  }
  if (a.tag != b.tag) return Order::kNone;
  switch (a.tag) {
    case Tag::kString: {
      const int found = a.text().compare(b.text());
      if (found == 0) return Order::kEqual;
      return found < 0 ? Order::kLess : Order::kGreater;
    }
    case Tag::kBool:
    case Tag::kTimestamp:
    case Tag::kDuration:
      return order_of(a.integer, b.integer);
    default:
      return Order::kNone;
  }
}

Value equal(const Value& a, const Value& b) {
  if (a.is_fault()) return a;
  if (b.is_fault()) return b;
  if (a.is(Tag::kList) && b.is(Tag::kList)) {
    if (a.size != b.size) return Value::of(false);
    for (std::uint32_t i = 0; i < a.size; ++i) {
      const Value same = equal(a.items[i], b.items[i]);
      if (!same.is_true()) return same;
    }
    return Value::of(true);
  }
  if (a.tag == b.tag && a.is(Tag::kNull)) return Value::of(true);
  if (a.tag == b.tag && a.is(Tag::kJson)) return Value::of(a.text() == b.text());
  return Value::of(order(a, b) == Order::kEqual);
}

Value arithmetic(Arithmetic operation, const Value& left, const Value& right) {
  if (left.is_fault()) return left;
  if (right.is_fault()) return right;
  const Value a = plain(left), b = plain(right);
  if (a.is(Tag::kInt) && b.is(Tag::kInt)) return of_ints(operation, a.integer, b.integer);
  if (is_numeric(a) && is_numeric(b)) {
    const bool mixed = a.tag != b.tag;
    if (!mixed || left.is(Tag::kNumber) || right.is(Tag::kNumber))
      return of_reals(operation, real_of(a), real_of(b));
    return Value::of(ExprFault::kType);
  }
  if (a.is_fault()) return a;
  if (b.is_fault()) return b;
  return of_times(operation, a, b);
}

Value negative(const Value& value) {
  const Value number = plain(value);
  if (number.is_fault()) return number;
  if (number.is(Tag::kDouble)) return Value::of(-number.real);
  if (number.is(Tag::kInt) || number.is(Tag::kDuration))
    return of_ints(Arithmetic::kSubtract, 0, number.integer, number.tag);
  return Value::of(ExprFault::kType);
}

}  // namespace logflume
