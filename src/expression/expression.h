// An expression of the configuration, checked and compiled: a condition, or a value for a field.
//
// The language is CEL's (see syntax.h); docs/expressions.md says what there is and where it departs from CEL.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "expression/evaluation.h"
#include "expression/nodes.h"
#include "expression/syntax.h"
#include "expression/value.h"

namespace logflume {

// What is known of the events that an expression is for.
struct FieldSchema {
  std::map<std::string, ExprType, std::less<>> fields;
  std::set<std::string, std::less<>> objects;  // whose keys are fields of their own: "app" of "app.level"
  bool open = true;                            // there may be others, of any type
  bool operator==(const FieldSchema&) const = default;
};

// How many rows had which fault.
using FaultCounts = std::array<std::uint64_t, kExprFaults>;

// Threads: immutable; any, each with an Evaluation of its own.
class Expression {
 public:
  static std::variant<Expression, ExpressionError> compile(std::string_view text, const FieldSchema& schema);
  // The same, of which true or false must come.
  static std::variant<Expression, ExpressionError> compile_condition(std::string_view text,
                                                                     const FieldSchema& schema);

  // A field by its name, whatever characters that has; a key of an object behind a dot.
  static std::variant<Expression, ExpressionError> of_field(std::string_view name, const FieldSchema& schema);

  ExprType type() const { return root_->type(); }
  // The fields that it reads, in the order in which Evaluation::begin() wants them.
  const std::vector<std::string>& fields() const { return fields_; }
  // Whether it is nothing but a field: its values may be taken as they are.
  bool is_field() const { return root_->field() != SIZE_MAX; }

  // For any number of rows. REQUIRES: evaluation.begin().
  void values(Evaluation& evaluation, const Rows& rows, Value* out) const;
  // The rows for which it is true, into `out`, which has room for all; how many. Counts the faults.
  std::uint32_t select(Evaluation& evaluation, const Rows& rows, std::uint32_t* out,
                       FaultCounts& faults) const;

 private:
  Expression(ExprNodePtr root, std::vector<std::string> fields)
      : root_(std::move(root)), fields_(std::move(fields)) {}

  ExprNodePtr root_;
  std::vector<std::string> fields_;
};

}  // namespace logflume
