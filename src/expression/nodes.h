// The operations of a compiled expression: a tree whose nodes each compute many rows at once.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/regex.h"
#include "expression/evaluation.h"
#include "expression/operators.h"
#include "expression/value.h"

namespace logflume {

// Threads: any, each with an Evaluation of its own.
class ExprNode {
 public:
  explicit ExprNode(ExprType type) : type_(type) {}
  virtual ~ExprNode() = default;
  ExprType type() const { return type_; }

  // REQUIRES: at most Evaluation::kRowsMax rows; `out` has room for each.
  virtual void values(Evaluation& evaluation, const Rows& rows, Value* out) const = 0;
  // The same for a condition.
  virtual void truth(Evaluation& evaluation, const Rows& rows, Truth* out) const;
  // Null when it is none.
  virtual const Value* constant() const { return nullptr; }
  // SIZE_MAX when it is none.
  virtual std::size_t field() const { return SIZE_MAX; }

 private:
  ExprType type_;
};
using ExprNodePtr = std::unique_ptr<ExprNode>;

// A function of single values. `count`: of the arguments, none of which is a fault.
using ExprFunctionBody = Value (*)(Evaluation& evaluation, const Value* arguments, std::size_t count);

enum class Comparison { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual };
enum class TextRelation { kEquals, kStartsWith, kEndsWith, kContains };
enum class Macro { kAll, kExists, kExistsOne, kFilter, kMap };

ExprNodePtr make_constant(const Value& value, ExprType type);
ExprNodePtr make_text_constant(std::string text);
ExprNodePtr make_field(std::size_t index, ExprType type);
ExprNodePtr make_local(std::size_t index);
ExprNodePtr make_select(ExprNodePtr object, std::string key);
ExprNodePtr make_has(ExprNodePtr value);
ExprNodePtr make_index(ExprNodePtr list, ExprNodePtr index);
ExprNodePtr make_logic(bool conjunction, ExprNodePtr left, ExprNodePtr right);
ExprNodePtr make_not(ExprNodePtr value);
ExprNodePtr make_conditional(ExprType type, ExprNodePtr condition, ExprNodePtr yes, ExprNodePtr no);
ExprNodePtr make_comparison(Comparison comparison, ExprNodePtr left, ExprNodePtr right);
ExprNodePtr make_in(ExprNodePtr value, ExprNodePtr list);
ExprNodePtr make_arithmetic(ExprType type, Arithmetic operation, ExprNodePtr left, ExprNodePtr right);
ExprNodePtr make_negative(ExprType type, ExprNodePtr value);
ExprNodePtr make_list(std::vector<ExprNodePtr> items);
ExprNodePtr make_call(ExprType type, ExprFunctionBody body, std::vector<ExprNodePtr> arguments);
// A relation to a text that is known. REQUIRES: of make_matches, `regex` is of `pattern`.
ExprNodePtr make_text_test(TextRelation relation, ExprNodePtr text, std::string wanted);
ExprNodePtr make_matches(ExprNodePtr text, std::string_view pattern, Regex regex);
// The first that is neither missing nor null.
ExprNodePtr make_coalesce(ExprType type, std::vector<ExprNodePtr> values);
// `local`: where `body` finds the element.
ExprNodePtr make_macro(Macro macro, ExprType type, ExprNodePtr list, std::size_t local, ExprNodePtr body);

}  // namespace logflume
