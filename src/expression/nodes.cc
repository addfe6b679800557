#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "expression/node_parts.h"

namespace logflume {
namespace {

using Tag = Value::Tag;

Tag tag_of(ValueKind kind) {
  switch (kind) {
    case ValueKind::kMissing:
      return Tag::kFault;
    case ValueKind::kNull:
      return Tag::kNull;
    case ValueKind::kBool:
      return Tag::kBool;
    case ValueKind::kInt:
      return Tag::kInt;
    case ValueKind::kDouble:
      return Tag::kDouble;
    case ValueKind::kTimestamp:
      return Tag::kTimestamp;
    case ValueKind::kDuration:
      return Tag::kDuration;
    case ValueKind::kString:
      return Tag::kString;
    case ValueKind::kNumber:
      return Tag::kNumber;
    case ValueKind::kJson:
      return Tag::kJson;
  }
  return Tag::kFault;
}

Value value_in(const Columns& columns, ValueKind kind, Slot slot) {
  if (is_text(kind)) return Value::of(columns.text(slot.text), tag_of(kind));
  Value value;
  value.tag = tag_of(kind);
  value.integer = slot.integer;
  return value;
}

void fill(Value* out, std::uint32_t count, const Value& value) { std::fill_n(out, count, value); }

class Constant final : public ExprNode {
 public:
  Constant(const Value& value, ExprType type) : ExprNode(type), value_(value) {}
  void values(Evaluation& /*evaluation*/, const Rows& rows, Value* out) const override {
    fill(out, rows.count, value_);
  }
  const Value* constant() const override { return &value_; }

 private:
  Value value_;
};

class TextConstant final : public ExprNode {
 public:
  explicit TextConstant(std::string text)
      : ExprNode(ExprType::kString), text_(std::move(text)), value_(Value::of(std::string_view(text_))) {}
  void values(Evaluation& /*evaluation*/, const Rows& rows, Value* out) const override {
    fill(out, rows.count, value_);
  }
  const Value* constant() const override { return &value_; }

 private:
  const std::string text_;
  Value value_;
};

class Field final : public ExprNode {
 public:
  Field(std::size_t index, ExprType type) : ExprNode(type), index_(index) {}
  std::size_t field() const override { return index_; }
  void values(Evaluation& evaluation, const Rows& rows, Value* out) const override {
    const FieldView& field = evaluation.field(index_);
    if (field.column == nullptr) return fill(out, rows.count, without(field));
    if (const auto dense = DenseColumn::of(evaluation, *this, rows)) {
      for (std::uint32_t i = 0; i < rows.count; ++i)
        out[i] = value_in(*dense->columns, dense->kind, dense->slots[rows[i]]);
      return;
    }
    const Column& column = *field.column;
    const Columns& columns = *field.columns;
    for (std::uint32_t i = 0; i < rows.count; ++i) {
      const std::size_t at = column.find(rows[i]);
      out[i] = at == Column::kNone ? beneath(field, rows[i])
                                   : value_in(columns, column.kind_at(at), column.slot_at(at));
    }
  }

 private:
  static Value without(const FieldView& field) {
    return field.constant != nullptr ? *field.constant : Value::of(ExprFault::kNoField);
  }
  static Value beneath(const FieldView& field, std::uint32_t row) {
    if (field.under == nullptr) return without(field);
    const FieldValueRef found = field.under->find(row);
    return found.kind == ValueKind::kMissing ? without(field)
                                             : value_in(*found.columns, found.kind, found.slot);
  }

  const std::size_t index_;
};

class Local final : public ExprNode {
 public:
  explicit Local(std::size_t index) : ExprNode(ExprType::kDyn), index_(index) {}
  void values(Evaluation& evaluation, const Rows& rows, Value* out) const override {
    fill(out, rows.count, evaluation.locals[index_]);
  }

 private:
  const std::size_t index_;
};

class Select final : public ExprNode {
 public:
  Select(ExprNodePtr object, std::string key)
      : ExprNode(ExprType::kDyn), object_(std::move(object)), key_(std::move(key)) {}
  void values(Evaluation& evaluation, const Rows& rows, Value* out) const override {
    object_->values(evaluation, rows, out);
    for (Value& value : std::span(out, rows.count)) {
      if (value.is_fault()) continue;
      value = value.is(Tag::kJson) ? evaluation.json.select(value.text(), key_, evaluation.texts)
                                   : Value::of(ExprFault::kType);
    }
  }

 private:
  const ExprNodePtr object_;
  const std::string key_;
};

class Has final : public ExprNode {
 public:
  explicit Has(ExprNodePtr value) : ExprNode(ExprType::kBool), value_(std::move(value)) {}
  void values(Evaluation& evaluation, const Rows& rows, Value* out) const override {
    value_->values(evaluation, rows, out);
    for (Value& value : std::span(out, rows.count)) {
      if (!value.is_fault()) {
        value = Value::of(true);
      } else if (value.fault == ExprFault::kNoField || value.fault == ExprFault::kType) {
        value = Value::of(false);
      }
    }
  }

 private:
  const ExprNodePtr value_;
};

// list[0], object["key"].
class Index final : public ExprNode {
 public:
  Index(ExprNodePtr list, ExprNodePtr index)
      : ExprNode(ExprType::kDyn), list_(std::move(list)), index_(std::move(index)) {}
  void values(Evaluation& evaluation, const Rows& rows, Value* out) const override {
    list_->values(evaluation, rows, out);
    ScratchScope scope(evaluation);
    Value* const indexes = scope.array<Value>(rows.count);
    index_->values(evaluation, rows, indexes);
    for (std::uint32_t i = 0; i < rows.count; ++i) out[i] = element(evaluation, out[i], plain(indexes[i]));
  }

 private:
  static Value element(Evaluation& evaluation, const Value& of, const Value& index) {
    if (of.is_fault()) return of;
    if (index.is_fault()) return index;
    if (of.is(Tag::kJson) && index.is(Tag::kString))
      return evaluation.json.select(of.text(), index.text(), evaluation.texts);
    if (!index.is(Tag::kInt) || (of.is(Tag::kJson) && of.text()[0] != '['))
      return Value::of(ExprFault::kType);
    const Value items = items_of(evaluation, of);
    if (items.is_fault()) return items;
    if (index.integer < 0 || index.integer >= items.size) return Value::of(ExprFault::kIndex);
    return items.items[index.integer];
  }

  const ExprNodePtr list_;
  const ExprNodePtr index_;
};

// The rows of some that an answer selects, and where they stand among them.
class Subset {
 public:
  template <typename Selects>
  Subset(ScratchScope& scope, const Rows& rows, const Truth* answers, const Selects& selects)
      : places_(scope.array<std::uint32_t>(rows.count)), index_(scope.array<std::uint32_t>(rows.count)) {
    for (std::uint32_t i = 0; i < rows.count; ++i) {
      places_[count_] = i;
      index_[count_] = rows[i];
      count_ += selects(answers[i]) ? 1 : 0;
    }
  }
  Rows rows() const { return {index_, 0, count_}; }
  std::uint32_t count() const { return count_; }
  std::uint32_t place(std::uint32_t i) const { return places_[i]; }

 private:
  std::uint32_t* const places_;
  std::uint32_t* const index_;
  std::uint32_t count_ = 0;
};

// && and ||: the right side is asked only for rows that the left one does not decide. A fault of one side
// counts only where the other does not decide.
class Logic final : public ConditionNode {
 public:
  Logic(bool conjunction, ExprNodePtr left, ExprNodePtr right)
      : decided_(conjunction ? kFalse : kTrue), left_(std::move(left)), right_(std::move(right)) {}
  void truth(Evaluation& evaluation, const Rows& rows, Truth* out) const override {
    left_->truth(evaluation, rows, out);
    ScratchScope scope(evaluation);
    const Subset open(scope, rows, out, [this](Truth answer) { return answer != decided_; });
    if (open.count() == 0) return;
    Truth* const right = scope.array<Truth>(open.count());
    right_->truth(evaluation, open.rows(), right);
    for (std::uint32_t i = 0; i < open.count(); ++i) {
      Truth& left = out[open.place(i)];
      if (left < kFaulty || right[i] == decided_) left = right[i];
    }
  }

 private:
  const Truth decided_;
  const ExprNodePtr left_;
  const ExprNodePtr right_;
};

class Not final : public ConditionNode {
 public:
  explicit Not(ExprNodePtr value) : value_(std::move(value)) {}
  void truth(Evaluation& evaluation, const Rows& rows, Truth* out) const override {
    value_->truth(evaluation, rows, out);
    for (Truth& truth : std::span(out, rows.count)) truth = negated(truth);
  }

 private:
  static Truth negated(Truth truth) { return truth < kFaulty ? static_cast<Truth>(truth ^ 1) : truth; }
  const ExprNodePtr value_;
};

class Conditional final : public ExprNode {
 public:
  Conditional(ExprType type, ExprNodePtr condition, ExprNodePtr yes, ExprNodePtr no)
      : ExprNode(type), condition_(std::move(condition)), yes_(std::move(yes)), no_(std::move(no)) {}
  void values(Evaluation& evaluation, const Rows& rows, Value* out) const override {
    ScratchScope scope(evaluation);
    Truth* const answers = scope.array<Truth>(rows.count);
    condition_->truth(evaluation, rows, answers);
    side(evaluation, rows, answers, kTrue, *yes_, out);
    side(evaluation, rows, answers, kFalse, *no_, out);
    for (std::uint32_t i = 0; i < rows.count; ++i) {
      if (answers[i] >= kFaulty) out[i] = value_of(answers[i]);
    }
  }

 private:
  static void side(Evaluation& evaluation, const Rows& rows, const Truth* answers, Truth which,
                   const ExprNode& node, Value* out) {
    ScratchScope scope(evaluation);
    const Subset chosen(scope, rows, answers, [which](Truth answer) { return answer == which; });
    if (chosen.count() == 0) return;
    Value* const values = scope.array<Value>(chosen.count());
    node.values(evaluation, chosen.rows(), values);
    for (std::uint32_t i = 0; i < chosen.count(); ++i) out[chosen.place(i)] = values[i];
  }

  const ExprNodePtr condition_;
  const ExprNodePtr yes_;
  const ExprNodePtr no_;
};

class Calculate final : public ExprNode {
 public:
  Calculate(ExprType type, Arithmetic operation, ExprNodePtr left, ExprNodePtr right)
      : ExprNode(type), operation_(operation), left_(std::move(left)), right_(std::move(right)) {}
  void values(Evaluation& evaluation, const Rows& rows, Value* out) const override {
    left_->values(evaluation, rows, out);
    ScratchScope scope(evaluation);
    Value* const right = scope.array<Value>(rows.count);
    right_->values(evaluation, rows, right);
    for (std::uint32_t i = 0; i < rows.count; ++i) {
      out[i] = operation_ == Arithmetic::kAdd && !out[i].is_fault() && out[i].tag >= Tag::kString &&
                       out[i].tag == right[i].tag && !out[i].is(Tag::kNumber)
                   ? joined(evaluation, out[i], right[i])
                   : arithmetic(operation_, out[i], right[i]);
    }
  }

 private:
  static Value joined(Evaluation& evaluation, const Value& left, const Value& right) {
    if (left.is(Tag::kString)) {
      char* const text = evaluation.texts.allocate(left.size + std::size_t{right.size});
      if (text == nullptr) return Value::of(ExprFault::kTooLarge);
      std::memcpy(text, left.data, left.size);
      std::memcpy(text + left.size, right.data, right.size);
      return Value::of(std::string_view(text, left.size + std::size_t{right.size}));
    }
    const Value first = items_of(evaluation, left), second = items_of(evaluation, right);
    if (first.is_fault()) return first;
    if (second.is_fault()) return second;
    auto* const items = evaluation.texts.array<Value>(first.size + std::size_t{second.size});
    if (items == nullptr) return Value::of(ExprFault::kTooLarge);
    std::copy_n(first.items, first.size, items);
    std::copy_n(second.items, second.size, items + first.size);
    return Value::list(items, first.size + std::size_t{second.size});
  }

  const Arithmetic operation_;
  const ExprNodePtr left_;
  const ExprNodePtr right_;
};

class Negative final : public ExprNode {
 public:
  Negative(ExprType type, ExprNodePtr value) : ExprNode(type), value_(std::move(value)) {}
  void values(Evaluation& evaluation, const Rows& rows, Value* out) const override {
    value_->values(evaluation, rows, out);
    for (Value& value : std::span(out, rows.count)) value = negative(value);
  }

 private:
  const ExprNodePtr value_;
};

// Values of several nodes, row by row.
class Tuples {
 public:
  Tuples(Evaluation& evaluation, const Rows& rows, const std::vector<ExprNodePtr>& nodes,
         ScratchScope& scope) {
    for (const ExprNodePtr& node : nodes) {
      columns_.push_back(scope.array<Value>(rows.count));
      node->values(evaluation, rows, columns_.back());
    }
  }
  // Into `out`, one for each node.
  void row(std::uint32_t row, Value* out) const {
    for (std::size_t i = 0; i < columns_.size(); ++i) out[i] = columns_[i][row];
  }

 private:
  std::vector<Value*> columns_;
};

Value first_fault(std::span<const Value> values) {
  const auto fault = std::ranges::find_if(values, [](const Value& value) { return value.is_fault(); });
  return fault == values.end() ? Value{} : *fault;
}

class List final : public ExprNode {
 public:
  explicit List(std::vector<ExprNodePtr> items) : ExprNode(ExprType::kList), items_(std::move(items)) {
    if (!std::ranges::all_of(items_, [](const ExprNodePtr& item) { return item->constant() != nullptr; }))
      return;
    for (const ExprNodePtr& item : items_) constants_.push_back(*item->constant());
    value_ = Value::list(constants_.data(), constants_.size());
    is_constant_ = true;
  }
  const Value* constant() const override { return is_constant_ ? &value_ : nullptr; }
  void values(Evaluation& evaluation, const Rows& rows, Value* out) const override {
    if (is_constant_) return fill(out, rows.count, value_);
    ScratchScope scope(evaluation);
    const Tuples tuples(evaluation, rows, items_, scope);
    for (std::uint32_t i = 0; i < rows.count; ++i) {
      auto* const items = evaluation.texts.array<Value>(items_.size());
      if (items == nullptr) {
        out[i] = Value::of(ExprFault::kTooLarge);
        continue;
      }
      tuples.row(i, items);
      const Value fault = first_fault({items, items_.size()});
      out[i] = fault.is_fault() ? fault : Value::list(items, items_.size());
    }
  }

 private:
  const std::vector<ExprNodePtr> items_;
  std::vector<Value> constants_;
  Value value_;
  bool is_constant_ = false;
};

class Call final : public ExprNode {
 public:
  Call(ExprType type, ExprFunctionBody body, std::vector<ExprNodePtr> arguments)
      : ExprNode(type), body_(body), arguments_(std::move(arguments)) {}
  void values(Evaluation& evaluation, const Rows& rows, Value* out) const override {
    ScratchScope scope(evaluation);
    const Tuples tuples(evaluation, rows, arguments_, scope);
    Value* const row = scope.array<Value>(arguments_.size());
    for (std::uint32_t i = 0; i < rows.count; ++i) {
      tuples.row(i, row);
      const Value fault = first_fault({row, arguments_.size()});
      out[i] = fault.is_fault() ? fault : body_(evaluation, row, arguments_.size());
    }
  }

 private:
  const ExprFunctionBody body_;
  const std::vector<ExprNodePtr> arguments_;
};

class Coalesce final : public ExprNode {
 public:
  Coalesce(ExprType type, std::vector<ExprNodePtr> values) : ExprNode(type), values_(std::move(values)) {}
  void values(Evaluation& evaluation, const Rows& rows, Value* out) const override {
    ScratchScope scope(evaluation);
    const Tuples tuples(evaluation, rows, values_, scope);
    Value* const row = scope.array<Value>(values_.size());
    for (std::uint32_t i = 0; i < rows.count; ++i) {
      tuples.row(i, row);
      out[i] = Value{};
      for (const Value& value : std::span(row, values_.size())) {
        if (value.is(Tag::kNull) || (value.is_fault() && value.fault == ExprFault::kNoField)) continue;
        out[i] = value;
        break;
      }
    }
  }

 private:
  const std::vector<ExprNodePtr> values_;
};

// Element by element: lists are short, and rare.
class MacroNode final : public ExprNode {
 public:
  MacroNode(Macro macro, ExprType type, ExprNodePtr list, std::size_t local, ExprNodePtr body)
      : ExprNode(type), macro_(macro), list_(std::move(list)), local_(local), body_(std::move(body)) {}
  void values(Evaluation& evaluation, const Rows& rows, Value* out) const override {
    list_->values(evaluation, rows, out);
    for (std::uint32_t i = 0; i < rows.count; ++i) {
      const std::uint32_t row = rows[i];
      const Value items = items_of(evaluation, out[i]);
      out[i] = items.is_fault() ? items : over(evaluation, {&row, 0, 1}, {items.items, items.size});
    }
  }

 private:
  Value over(Evaluation& evaluation, const Rows& row, std::span<const Value> items) const {
    std::vector<Value> made;
    std::size_t yes = 0;
    Value fault;
    for (const Value& item : items) {
      evaluation.locals[local_] = item;
      Value value;
      body_->values(evaluation, row, &value);
      if (macro_ != Macro::kMap) value = value_of(truth_of(value));
      if (value.is_fault()) {
        fault = value;
        if (macro_ != Macro::kAll && macro_ != Macro::kExists) return fault;
        continue;
      }
      if (macro_ == Macro::kMap) made.push_back(value);
      if (macro_ == Macro::kFilter && value.is_true()) made.push_back(item);
      if (macro_ == Macro::kAll && !value.is_true()) return Value::of(false);
      if (macro_ == Macro::kExists && value.is_true()) return Value::of(true);
      yes += value.is_true() ? 1 : 0;
    }
    switch (macro_) {
      case Macro::kAll:
        return fault.is_fault() ? fault : Value::of(true);
      case Macro::kExists:
        return fault.is_fault() ? fault : Value::of(false);
      case Macro::kExistsOne:
        return Value::of(yes == 1);
      case Macro::kFilter:
      case Macro::kMap:
        break;
    }
    return evaluation.texts.list(made);
  }

  const Macro macro_;
  const ExprNodePtr list_;
  const std::size_t local_;
  const ExprNodePtr body_;
};

}  // namespace

void ExprNode::truth(Evaluation& evaluation, const Rows& rows, Truth* out) const {
  ScratchScope scope(evaluation);
  Value* const found = scope.array<Value>(rows.count);
  values(evaluation, rows, found);
  for (std::uint32_t i = 0; i < rows.count; ++i) out[i] = truth_of(found[i]);
}

void ConditionNode::values(Evaluation& evaluation, const Rows& rows, Value* out) const {
  ScratchScope scope(evaluation);
  Truth* const answers = scope.array<Truth>(rows.count);
  truth(evaluation, rows, answers);
  for (std::uint32_t i = 0; i < rows.count; ++i) out[i] = value_of(answers[i]);
}

std::optional<DenseColumn> DenseColumn::of(const Evaluation& evaluation, const ExprNode& node,
                                           const Rows& rows) {
  if (node.field() == SIZE_MAX || rows.count == 0) return std::nullopt;
  const FieldView& field = evaluation.field(node.field());
  const Column* const column = field.column;
  if (column == nullptr || !column->uniform() || !column->dense(rows[rows.count - 1] + std::size_t{1}))
    return std::nullopt;
  return DenseColumn{field.columns, column->slots(), column->kind()};
}

Value items_of(Evaluation& evaluation, const Value& list) {
  if (list.is(Tag::kList) || list.is_fault()) return list;
  if (!list.is(Tag::kJson)) return Value::of(ExprFault::kType);
  return evaluation.json.items(list.text(), evaluation.texts);
}

ExprNodePtr make_constant(const Value& value, ExprType type) {
  return std::make_unique<Constant>(value, type);
}
ExprNodePtr make_text_constant(std::string text) { return std::make_unique<TextConstant>(std::move(text)); }
ExprNodePtr make_field(std::size_t index, ExprType type) { return std::make_unique<Field>(index, type); }
ExprNodePtr make_local(std::size_t index) { return std::make_unique<Local>(index); }
ExprNodePtr make_select(ExprNodePtr object, std::string key) {
  return std::make_unique<Select>(std::move(object), std::move(key));
}
ExprNodePtr make_has(ExprNodePtr value) { return std::make_unique<Has>(std::move(value)); }
ExprNodePtr make_index(ExprNodePtr list, ExprNodePtr index) {
  return std::make_unique<Index>(std::move(list), std::move(index));
}
ExprNodePtr make_logic(bool conjunction, ExprNodePtr left, ExprNodePtr right) {
  return std::make_unique<Logic>(conjunction, std::move(left), std::move(right));
}
ExprNodePtr make_not(ExprNodePtr value) { return std::make_unique<Not>(std::move(value)); }
ExprNodePtr make_conditional(ExprType type, ExprNodePtr condition, ExprNodePtr yes, ExprNodePtr no) {
  return std::make_unique<Conditional>(type, std::move(condition), std::move(yes), std::move(no));
}
ExprNodePtr make_arithmetic(ExprType type, Arithmetic operation, ExprNodePtr left, ExprNodePtr right) {
  return std::make_unique<Calculate>(type, operation, std::move(left), std::move(right));
}
ExprNodePtr make_negative(ExprType type, ExprNodePtr value) {
  return std::make_unique<Negative>(type, std::move(value));
}
ExprNodePtr make_list(std::vector<ExprNodePtr> items) { return std::make_unique<List>(std::move(items)); }
ExprNodePtr make_call(ExprType type, ExprFunctionBody body, std::vector<ExprNodePtr> arguments) {
  return std::make_unique<Call>(type, body, std::move(arguments));
}
ExprNodePtr make_coalesce(ExprType type, std::vector<ExprNodePtr> values) {
  return std::make_unique<Coalesce>(type, std::move(values));
}
ExprNodePtr make_macro(Macro macro, ExprType type, ExprNodePtr list, std::size_t local, ExprNodePtr body) {
  return std::make_unique<MacroNode>(macro, type, std::move(list), local, std::move(body));
}

}  // namespace logflume
