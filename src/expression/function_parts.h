// The table of functions, a part of it in each file.
#pragma once

#include <algorithm>
#include <vector>

#include "expression/functions.h"

namespace logflume {

std::vector<ExprFunction> text_functions();
std::vector<ExprFunction> conversion_functions();
std::vector<ExprFunction> time_functions();
std::vector<ExprFunction> number_functions();

inline Value fault(ExprFault fault) { return Value::of(fault); }
inline bool are_texts(const Value* arguments, std::size_t count) {
  return std::all_of(arguments, arguments + count,
                     [](const Value& value) { return value.is(Value::Tag::kString); });
}

}  // namespace logflume
