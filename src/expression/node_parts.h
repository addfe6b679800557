// What nodes of several kinds are made of.
#pragma once

#include <optional>

#include "expression/nodes.h"

namespace logflume {

// What is computed as an answer first, and as a value from that.
class ConditionNode : public ExprNode {
 public:
  ConditionNode() : ExprNode(ExprType::kBool) {}
  void values(Evaluation& evaluation, const Rows& rows, Value* out) const override;
  void truth(Evaluation& evaluation, const Rows& rows, Truth* out) const override = 0;
};

// The array of a column in which all of some rows have a value, of one kind: what a loop may go over instead
// of values of 16 bytes.
struct DenseColumn {
  const Columns* columns = nullptr;
  const Slot* slots = nullptr;  // by row
  ValueKind kind = ValueKind::kMissing;

  std::string_view text(std::uint32_t row) const { return columns->text(slots[row].text); }

  // None: `node` is no field, or one of another column.
  static std::optional<DenseColumn> of(const Evaluation& evaluation, const ExprNode& node, const Rows& rows);
};

// The elements of a list, or of an array of JSON, or the keys of an object.
Value items_of(Evaluation& evaluation, const Value& list);

}  // namespace logflume
