// The functions of expressions: one table for the checker, the documentation and its tests.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "expression/nodes.h"

namespace logflume {

struct ExprSignature {
  std::vector<ExprType> parameters;  // of a method the first is what stands before the dot
  ExprType result;
};

// How it is called, and who makes a node of it: functions that take a part of the expression itself (a
// constant pattern, a field that may be missing, a variable) are made by the checker.
enum class ExprForm { kFunction, kMethod, kBoth };

struct ExprFunction {
  std::string_view name;
  ExprForm form = ExprForm::kMethod;
  std::vector<ExprSignature> signatures;
  ExprFunctionBody body = nullptr;  // null: the checker knows it
  std::string_view doc;
  std::string_view cost;     // of a call, by the length of its arguments
  std::string_view example;  // an expression without fields
  std::string_view result;   // what it gives, as an expression
};

std::span<const ExprFunction> expression_functions();

// "string.contains(string) -> bool", "size(list) -> int".
std::string signature_text(const ExprFunction& function, const ExprSignature& signature);

// docs/expressions.md.
std::string expressions_markdown();

// As string() writes it; a list or a fault as a person reads it.
std::string to_text(const Value& value);
void append_text(const Value& value, std::string& out);

}  // namespace logflume
