// The syntax of expressions: that of CEL (Common Expression Language,
// https://github.com/google/cel-spec/blob/master/doc/langdef.md), from text to a tree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace logflume {

// What is wrong with an expression, and where.
struct ExpressionError {
  std::size_t at = 0;     // bytes from its begin
  std::size_t bytes = 1;  // that are meant
  std::string message;
  std::string hint;  // the nearest name, or what to do; may be empty
};

struct ExprTree;
using ExprTreePtr = std::unique_ptr<ExprTree>;

// The names of operators: "||", "&&", "!", "?:", "==", "!=", "<", "<=", ">", ">=",
// "in", "+", "-", "*", "/", "%", "neg", "[]".
struct ExprTree {
  enum class Kind { kNull, kBool, kInt, kDouble, kString, kName, kSelect, kCall, kOperator, kList };

  Kind kind = Kind::kNull;
  std::size_t at = 0;
  std::size_t bytes = 0;
  std::string text;          // kName, kSelect, kCall, kOperator: the name; kString: its value
  std::int64_t integer = 0;  // kInt; kBool: 0 or 1
  double real = 0;           // kDouble
  bool method = false;       // kCall: the first child stands before a dot
  std::vector<ExprTreePtr>
      children;  // kSelect: what it is taken of; kCall, kOperator: arguments; kList: elements
};

// Input is hostile: the text has at most kExprBytesMax, the tree at most kExprNodesMax nodes (as many may
// stand in one chain of operators), and parentheses and the like are nested at most kExprDepthMax deep.
constexpr std::size_t kExprBytesMax = 64 * 1024;
constexpr std::size_t kExprNodesMax = 2000;
constexpr std::size_t kExprDepthMax = 100;

std::variant<ExprTreePtr, ExpressionError> parse_expression(std::string_view text);

// As it was meant, with each operation in parentheses: for tests and messages.
std::string to_text(const ExprTree& tree);

}  // namespace logflume
