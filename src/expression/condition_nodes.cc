// Comparisons and other questions about values: over the array of a column where they can be.
#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "base/head_pattern.h"
#include "expression/constant_set.h"
#include "expression/node_parts.h"
#include "expression/text_test.h"

namespace logflume {
namespace {

using Tag = Value::Tag;

bool holds(Comparison comparison, Order order) {
  switch (comparison) {
    case Comparison::kEqual:
      return order == Order::kEqual;
    case Comparison::kNotEqual:
      return order != Order::kEqual;
    case Comparison::kLess:
      return order == Order::kLess;
    case Comparison::kLessEqual:
      return order == Order::kLess || order == Order::kEqual;
    case Comparison::kGreater:
      return order == Order::kGreater;
    case Comparison::kGreaterEqual:
      return order == Order::kGreater || order == Order::kEqual;
  }
  return false;
}

Truth compared(Comparison comparison, const Value& left, const Value& right) {
  if (comparison == Comparison::kEqual || comparison == Comparison::kNotEqual) {
    const Truth same = truth_of(equal(left, right));
    return same < kFaulty && comparison == Comparison::kNotEqual ? static_cast<Truth>(same ^ 1) : same;
  }
  if (left.is_fault() || right.is_fault()) return truth_of(left.is_fault() ? left : right);
  const Order found = order(left, right);
  if (found == Order::kNone) return truth_of(Value::of(ExprFault::kType));
  return holds(comparison, found) ? kTrue : kFalse;
}

template <typename T>
Truth compared_plain(Comparison comparison, const T& left, const T& right) {
  switch (comparison) {
    case Comparison::kEqual:
      return left == right;
    case Comparison::kNotEqual:
      return left != right;
    case Comparison::kLess:
      return left < right;
    case Comparison::kLessEqual:
      return left <= right;
    case Comparison::kGreater:
      return left > right;
    case Comparison::kGreaterEqual:
      return left >= right;
  }
  return kFalse;
}

// The comparison that a loop makes is one that the compiler knows.
template <typename Loop>
void with_comparison(Comparison comparison, const Loop& loop) {
  switch (comparison) {
    case Comparison::kEqual:
      return loop.template operator()<Comparison::kEqual>();
    case Comparison::kNotEqual:
      return loop.template operator()<Comparison::kNotEqual>();
    case Comparison::kLess:
      return loop.template operator()<Comparison::kLess>();
    case Comparison::kLessEqual:
      return loop.template operator()<Comparison::kLessEqual>();
    case Comparison::kGreater:
      return loop.template operator()<Comparison::kGreater>();
    case Comparison::kGreaterEqual:
      return loop.template operator()<Comparison::kGreaterEqual>();
  }
}

class Compare final : public ConditionNode {
 public:
  Compare(Comparison comparison, ExprNodePtr left, ExprNodePtr right)
      : comparison_(comparison), left_(std::move(left)), right_(std::move(right)) {
    const Value* const constant = right_->constant();
    if (constant == nullptr || !constant->is(Tag::kString)) return;
    if (comparison == Comparison::kEqual || comparison == Comparison::kNotEqual)
      same_.emplace(TextRelation::kEquals, std::string(constant->text()));
  }
  void truth(Evaluation& evaluation, const Rows& rows, Truth* out) const override {
    if (ask_column(evaluation, rows, out)) return;
    ScratchScope scope(evaluation);
    Value* const left = scope.array<Value>(rows.count);
    Value* const right = scope.array<Value>(rows.count);
    left_->values(evaluation, rows, left);
    right_->values(evaluation, rows, right);
    for (std::uint32_t i = 0; i < rows.count; ++i) out[i] = compared(comparison_, left[i], right[i]);
  }

 private:
  // The usual case, over the array of the column itself: a field that all events have, of one kind, and a
  // constant of that kind, or a number of JSON and any constant.
  bool ask_column(const Evaluation& evaluation, const Rows& rows, Truth* out) const {
    const Value* const constant = right_->constant();
    if (constant == nullptr) return false;
    const auto column = DenseColumn::of(evaluation, *left_, rows);
    if (!column) return false;
    if (column->kind == ValueKind::kInt && constant->is(Tag::kInt)) {
      with_comparison(comparison_, [&]<Comparison kComparison>() {
        const std::int64_t wanted = constant->integer;
        rows.each([&](std::uint32_t i, std::uint32_t row) {
          out[i] = compared_plain(kComparison, column->slots[row].integer, wanted);
        });
      });
      return true;
    }
    if (column->kind == ValueKind::kNumber) {
      with_comparison(comparison_, [&]<Comparison kComparison>() {
        rows.each([&](std::uint32_t i, std::uint32_t row) {
          const std::string_view text = column->text(row);
          const Value number = constant->is(Tag::kInt) ? as_number(text) : Value{};
          out[i] = number.is(Tag::kInt) ? compared_plain(kComparison, number.integer, constant->integer)
                                        : compared(kComparison, Value::of(text, Tag::kNumber), *constant);
        });
      });
      return true;
    }
    if (column->kind != ValueKind::kString || !constant->is(Tag::kString)) return false;
    if (same_) {
      same_->ask(*column, rows, out);
      if (comparison_ == Comparison::kNotEqual) {
        for (std::uint32_t i = 0; i < rows.count; ++i) out[i] ^= kTrue;
      }
      return true;
    }
    with_comparison(comparison_, [&]<Comparison kComparison>() {
      const std::string_view wanted = constant->text();
      for (std::uint32_t i = 0; i < rows.count; ++i)
        out[i] = compared_plain(kComparison, column->text(rows[i]), wanted);
    });
    return true;
  }

  const Comparison comparison_;
  const ExprNodePtr left_;
  const ExprNodePtr right_;
  std::optional<TextTest> same_;  // for == and != with a constant text
};

class In final : public ExprNode {
 public:
  In(ExprNodePtr value, ExprNodePtr list)
      : ExprNode(ExprType::kBool), value_(std::move(value)), list_(std::move(list)) {}
  void values(Evaluation& evaluation, const Rows& rows, Value* out) const override {
    value_->values(evaluation, rows, out);
    ScratchScope scope(evaluation);
    Value* const lists = scope.array<Value>(rows.count);
    list_->values(evaluation, rows, lists);
    for (std::uint32_t i = 0; i < rows.count; ++i) out[i] = found(evaluation, out[i], lists[i]);
  }

 private:
  static Value found(Evaluation& evaluation, const Value& value, const Value& list) {
    if (value.is_fault()) return value;
    if (list.is_fault()) return list;
    if (list.is(Tag::kJson) && list.text().starts_with('{')) {
      if (!value.is(Tag::kString)) return Value::of(false);
      const Value member = evaluation.json.select(list.text(), value.text(), evaluation.texts);
      if (!member.is_fault()) return Value::of(true);
      return member.fault == ExprFault::kNoField ? Value::of(false) : member;
    }
    const Value items = items_of(evaluation, list);
    if (items.is_fault()) return items;
    Value fault = Value::of(false);
    for (const Value& item : std::span(items.items, items.size)) {
      const Value same = equal(value, item);
      if (same.is_true()) return same;
      if (same.is_fault()) fault = same;
    }
    return fault;
  }

  const ExprNodePtr value_;
  const ExprNodePtr list_;
};

class InConstants final : public ConditionNode {
 public:
  // REQUIRES: `list` is a constant.
  InConstants(ExprNodePtr value, ExprNodePtr list)
      : value_(std::move(value)),
        list_(std::move(list)),
        items_(std::span(list_->constant()->items, list_->constant()->size)) {}
  void truth(Evaluation& evaluation, const Rows& rows, Truth* out) const override {
    const auto column = DenseColumn::of(evaluation, *value_, rows);
    if (column && items_.ask(*column, rows, out)) return;
    ScratchScope scope(evaluation);
    Value* const values = scope.array<Value>(rows.count);
    value_->values(evaluation, rows, values);
    for (std::uint32_t i = 0; i < rows.count; ++i)
      out[i] = values[i].is_fault() ? truth_of(values[i]) : items_.has(values[i]);
  }

 private:
  const ExprNodePtr value_;
  const ExprNodePtr list_;
  const ConstantSet items_;
};

// A question about a text; about anything else it is a fault.
template <typename Question>
class OfText final : public ConditionNode {
 public:
  OfText(ExprNodePtr text, Question question) : text_(std::move(text)), question_(std::move(question)) {}
  void truth(Evaluation& evaluation, const Rows& rows, Truth* out) const override {
    const auto column = DenseColumn::of(evaluation, *text_, rows);
    if (column && column->kind == ValueKind::kString) return question_.ask(evaluation, *column, rows, out);
    ScratchScope scope(evaluation);
    Value* const values = scope.array<Value>(rows.count);
    text_->values(evaluation, rows, values);
    for (std::uint32_t i = 0; i < rows.count; ++i) {
      out[i] = values[i].is(Tag::kString) ? question_.ask(evaluation, values[i].text())
               : values[i].is_fault()     ? truth_of(values[i])
                                          : truth_of(Value::of(ExprFault::kType));
    }
  }

 private:
  const ExprNodePtr text_;
  const Question question_;
};

class Related {
 public:
  explicit Related(TextTest test) : test_(std::move(test)) {}
  Truth ask(Evaluation& /*evaluation*/, std::string_view text) const {
    return test_.holds(text) ? kTrue : kFalse;
  }
  void ask(Evaluation& /*evaluation*/, const DenseColumn& column, const Rows& rows, Truth* out) const {
    test_.ask(column, rows, out);
  }

 private:
  TextTest test_;
};

// A pattern that begins with ^ says what the first bytes may be: for most texts that is the answer.
class Matching {
 public:
  Matching(std::string_view pattern, Regex regex)
      : head_(HeadPattern::of(pattern)), has_head_(!head_.is_void()), regex_(std::move(regex)) {}
  Truth ask(Evaluation& evaluation, std::string_view text) const {
    return answered(evaluation, text, has_head_ ? head_.look_at_text(text) : HeadPattern::Answer::kAsk);
  }
  void ask(Evaluation& evaluation, const DenseColumn& column, const Rows& rows, Truth* out) const {
    for (std::uint32_t i = 0; i < rows.count; ++i) {
      const std::string_view text = column.text(rows[i]);
      const bool looks = has_head_ && !text.empty();  // columns may be read behind their texts
      out[i] = looks ? answered(evaluation, text, head_.look_at_text_ahead(text)) : ask(evaluation, text);
    }
  }

 private:
  Truth answered(Evaluation& evaluation, std::string_view text, HeadPattern::Answer head) const {
    if (head != HeadPattern::Answer::kAsk) return head == HeadPattern::Answer::kYes ? kTrue : kFalse;
    const Regex::Answer answer = regex_.search(text, evaluation.regex);
    if (answer == Regex::Answer::kGaveUp) return truth_of(Value::of(ExprFault::kMatchLimit));
    return answer == Regex::Answer::kYes ? kTrue : kFalse;
  }

  HeadPattern head_;
  bool has_head_;
  Regex regex_;
};

// A pattern that is a text: it means nothing but itself.
bool is_literal(std::string_view pattern) {
  return !pattern.empty() && std::ranges::all_of(pattern, [](char c) {
    return c >= ' ' && c <= '~' && std::string_view(R"(\^$.[]|()?*+{})").find(c) == std::string_view::npos;
  });
}

}  // namespace

ExprNodePtr make_comparison(Comparison comparison, ExprNodePtr left, ExprNodePtr right) {
  return std::make_unique<Compare>(comparison, std::move(left), std::move(right));
}
ExprNodePtr make_in(ExprNodePtr value, ExprNodePtr list) {
  if (const Value* const constant = list->constant(); constant != nullptr && constant->is(Tag::kList))
    return std::make_unique<InConstants>(std::move(value), std::move(list));
  return std::make_unique<In>(std::move(value), std::move(list));
}
ExprNodePtr make_text_test(TextRelation relation, ExprNodePtr text, std::string wanted) {
  return std::make_unique<OfText<Related>>(std::move(text), Related(TextTest(relation, std::move(wanted))));
}
ExprNodePtr make_matches(ExprNodePtr text, std::string_view pattern, Regex regex) {
  if (is_literal(pattern))
    return make_text_test(TextRelation::kContains, std::move(text), std::string(pattern));
  return std::make_unique<OfText<Matching>>(std::move(text), Matching(pattern, std::move(regex)));
}

}  // namespace logflume
