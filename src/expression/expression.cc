#include "expression/expression.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "base/nearest_name.h"
#include "expression/functions.h"

namespace logflume {
namespace {

struct Failure {
  ExpressionError error;
};
[[noreturn]] void fail(const ExprTree& tree, std::string message, std::string hint = {}) {
  throw Failure{{tree.at, tree.bytes, std::move(message), std::move(hint)}};
}

bool is_number(ExprType type) { return type == ExprType::kInt || type == ExprType::kDouble; }
bool is_dyn(ExprType type) { return type == ExprType::kDyn; }
bool may_be(ExprType type, ExprType wanted) { return is_dyn(type) || is_dyn(wanted) || type == wanted; }

constexpr std::pair<std::string_view, Comparison> kComparisons[] = {
    {"==", Comparison::kEqual},     {"!=", Comparison::kNotEqual}, {"<", Comparison::kLess},
    {"<=", Comparison::kLessEqual}, {">", Comparison::kGreater},   {">=", Comparison::kGreaterEqual}};
constexpr std::pair<std::string_view, Arithmetic> kArithmetic[] = {{"+", Arithmetic::kAdd},
                                                                   {"-", Arithmetic::kSubtract},
                                                                   {"*", Arithmetic::kMultiply},
                                                                   {"/", Arithmetic::kDivide},
                                                                   {"%", Arithmetic::kRemainder}};
constexpr std::pair<std::string_view, Macro> kMacros[] = {{"all", Macro::kAll},
                                                          {"exists", Macro::kExists},
                                                          {"exists_one", Macro::kExistsOne},
                                                          {"filter", Macro::kFilter},
                                                          {"map", Macro::kMap}};

constexpr std::pair<std::string_view, TextRelation> kRelations[] = {{"startsWith", TextRelation::kStartsWith},
                                                                    {"endsWith", TextRelation::kEndsWith},
                                                                    {"contains", TextRelation::kContains}};

template <typename Pairs>
auto find_name(const Pairs& pairs, std::string_view name) {
  const auto found = std::ranges::find_if(pairs, [&](const auto& pair) { return pair.first == name; });
  return found == std::end(pairs) ? std::nullopt : std::optional(found->second);
}

class Checker {
 public:
  explicit Checker(const FieldSchema& schema) : schema_(schema) {}

  ExprNodePtr check(const ExprTree& tree) {
    switch (tree.kind) {
      case ExprTree::Kind::kNull:
        return make_constant(Value{}, ExprType::kNull);
      case ExprTree::Kind::kBool:
        return make_constant(Value::of(tree.integer != 0), ExprType::kBool);
      case ExprTree::Kind::kInt:
        return make_constant(Value::of(tree.integer), ExprType::kInt);
      case ExprTree::Kind::kDouble:
        return make_constant(Value::of(tree.real), ExprType::kDouble);
      case ExprTree::Kind::kString:
        return make_text_constant(tree.text);
      case ExprTree::Kind::kName:
        return name(tree);
      case ExprTree::Kind::kSelect:
        return select(tree);
      case ExprTree::Kind::kList:
        return make_list(all(tree.children));
      case ExprTree::Kind::kCall:
        return call(tree);
      case ExprTree::Kind::kOperator:
        return operation(tree);
    }
    return nullptr;
  }

  // REQUIRES: of `tree`.
  static void require_condition(const ExprTree& tree, const ExprNode& node) {
    if (may_be(node.type(), ExprType::kBool)) return;
    fail(tree, fmt::format("a condition is expected, this is of type {}", to_text(node.type())),
         is_number(node.type()) ? "compare it: `... != 0`" : "compare it with something");
  }
  std::vector<std::string> take_fields() { return std::move(fields_); }

 private:
  std::vector<ExprNodePtr> all(const std::vector<ExprTreePtr>& trees) {
    std::vector<ExprNodePtr> nodes;
    for (const ExprTreePtr& tree : trees) nodes.push_back(check(*tree));
    return nodes;
  }

  ExprNodePtr name(const ExprTree& tree) {
    for (std::size_t i = locals_.size(); i-- > 0;) {
      if (locals_[i] == tree.text) return make_local(i);
    }
    return field(tree, tree.text);
  }

  ExprNodePtr field(const ExprTree& tree, const std::string& name) {
    const auto known = schema_.fields.find(name);
    if (known == schema_.fields.end() && !schema_.open) {
      std::vector<std::string> names;
      for (const auto& [other, type] : schema_.fields) names.push_back(other);
      const std::string near = nearest_name(name, names);
      fail(tree, fmt::format("there is no field \"{}\"", name),
           near.empty() ? fmt::format("there are {}", fmt::join(names, ", "))
                        : fmt::format("did you mean {}?", near));
    }
    auto field = std::ranges::find(fields_, name);
    if (field == fields_.end()) field = fields_.insert(field, name);
    return make_field(static_cast<std::size_t>(field - fields_.begin()),
                      known == schema_.fields.end() ? ExprType::kDyn : known->second);
  }

  ExprNodePtr select(const ExprTree& tree) {
    const ExprTree& of = *tree.children[0];
    const bool is_object = of.kind == ExprTree::Kind::kName && schema_.objects.contains(of.text) &&
                           std::ranges::find(locals_, of.text) == locals_.end();
    if (is_object) return field(tree, fmt::format("{}.{}", of.text, tree.text));
    ExprNodePtr object = check(*tree.children[0]);
    if (!may_be(object->type(), ExprType::kMap)) {
      fail(tree,
           fmt::format("\"{}\" of a value of type {}, which has no keys", tree.text, to_text(object->type())),
           function(tree.text) == nullptr ? std::string() : fmt::format("call it: .{}()", tree.text));
    }
    return make_select(std::move(object), tree.text);
  }

  static const ExprFunction* function(std::string_view name) {
    const auto functions = expression_functions();
    const auto found = std::ranges::find(functions, name, &ExprFunction::name);
    return found == functions.end() ? nullptr : &*found;
  }

  ExprNodePtr call(const ExprTree& tree) {
    const ExprFunction* const found = function(tree.text);
    if (found == nullptr || (tree.method && found->form == ExprForm::kFunction))
      unknown_function(tree, found);
    if (!tree.method && found->form == ExprForm::kMethod)
      fail(tree, fmt::format("{}() is called on a value: `value.{}(...)`", tree.text, tree.text));
    if (tree.text == "has") return has(tree);
    if (tree.text == "coalesce") return coalesce(tree);
    if (tree.text == "matches") return matches(tree, *found);
    if (const auto macro = find_name(kMacros, tree.text)) return macro_call(tree, *macro);
    std::vector<ExprNodePtr> arguments = all(tree.children);
    const ExprType type = result_type(tree, *found, arguments);
    if (const auto relation = find_name(kRelations, tree.text); relation && !all_constant_) {
      if (const Value* const wanted = arguments[1]->constant();
          wanted != nullptr && wanted->is(Value::Tag::kString))
        return make_text_test(*relation, std::move(arguments[0]), std::string(wanted->text()));
    }
    const bool pure = tree.text != "now";
    return folded(tree, make_call(type, found->body, std::move(arguments)), pure && all_constant_);
  }

  [[noreturn]] static void unknown_function(const ExprTree& tree, const ExprFunction* other) {
    if (other != nullptr) fail(tree, fmt::format("{} is no method: `{}(value, ...)`", tree.text, tree.text));
    std::vector<std::string> names;
    for (const ExprFunction& function : expression_functions()) names.emplace_back(function.name);
    const std::string near = nearest_name(tree.text, names);
    fail(tree, fmt::format("there is no function \"{}\"", tree.text),
         near.empty() ? std::string() : fmt::format("did you mean {}?", near));
  }

  // By the signatures that fit what is known of the arguments.
  ExprType result_type(const ExprTree& tree, const ExprFunction& function,
                       const std::vector<ExprNodePtr>& arguments) {
    std::optional<ExprType> type;
    for (const ExprSignature& signature : function.signatures) {
      const bool fits = std::equal(
          signature.parameters.begin(), signature.parameters.end(), arguments.begin(), arguments.end(),
          [](ExprType wanted, const ExprNodePtr& argument) { return may_be(argument->type(), wanted); });
      if (!fits) continue;
      type = !type || *type == signature.result ? signature.result : ExprType::kDyn;
    }
    all_constant_ =
        std::ranges::all_of(arguments, [](const auto& node) { return node->constant() != nullptr; });
    if (type) return *type;
    std::vector<std::string_view> given;
    for (const ExprNodePtr& argument : arguments) given.push_back(to_text(argument->type()));
    std::vector<std::string> there;
    for (const ExprSignature& signature : function.signatures)
      there.push_back(signature_text(function, signature));
    fail(tree, fmt::format("{} is not defined for ({})", function.name, fmt::join(given, ", ")),
         fmt::format("there is {}", fmt::join(there, ", ")));
  }

  // What is computed of constants alone is computed now; what cannot be computed is an error now.
  static ExprNodePtr folded(const ExprTree& tree, ExprNodePtr node, bool constant) {
    if (!constant) return node;
    Evaluation evaluation;
    evaluation.begin({}, 0);
    Value value;
    node->values(evaluation, Rows::all(1), &value);
    if (value.is_fault()) fail(tree, fmt::format("this always fails: {}", to_text(value.fault)));
    if (value.is(Value::Tag::kList)) return node;
    if (value.is(Value::Tag::kString)) return make_text_constant(std::string(value.text()));
    return make_constant(value, node->type());
  }

  ExprNodePtr has(const ExprTree& tree) {
    if (tree.children.size() != 1) fail(tree, "has() takes one field, or a key of an object");
    const ExprTree& what = *tree.children[0];
    const bool is_field =
        what.kind == ExprTree::Kind::kName || what.kind == ExprTree::Kind::kSelect || what.text == "[]";
    if (!is_field) fail(what, "has() takes a field, or a key of an object: `has(user.id)`");
    if (what.kind != ExprTree::Kind::kSelect) return make_has(check(what));
    // Also of what can have no keys: that is the answer, not an error.
    return make_has(make_select(check(*what.children[0]), what.text));
  }

  ExprNodePtr coalesce(const ExprTree& tree) {
    if (tree.children.empty()) fail(tree, "coalesce() takes at least one value");
    std::vector<ExprNodePtr> values = all(tree.children);
    ExprType type = values[0]->type();
    for (const ExprNodePtr& value : values) {
      if (value->type() != type) type = type == ExprType::kNull ? value->type() : ExprType::kDyn;
    }
    return make_coalesce(type, std::move(values));
  }

  ExprNodePtr matches(const ExprTree& tree, const ExprFunction& function) {
    std::vector<ExprNodePtr> arguments = all(tree.children);
    result_type(tree, function, arguments);
    const ExprTree& pattern = *tree.children[1];
    if (pattern.kind != ExprTree::Kind::kString)
      fail(pattern, "a pattern is a text in quotes", "it is compiled once, when the configuration is loaded");
    auto regex = Regex::compile(pattern.text);
    if (!regex) fail(pattern, fmt::format("the pattern is wrong: {}", regex.error().message));
    return make_matches(std::move(arguments[0]), pattern.text, std::move(*regex));
  }

  ExprNodePtr macro_call(const ExprTree& tree, Macro macro) {
    if (tree.children.size() != 3 || tree.children[1]->kind != ExprTree::Kind::kName)
      fail(tree,
           fmt::format("{}() takes a variable and an expression: `list.{}(x, ...)`", tree.text, tree.text));
    if (locals_.size() == Evaluation::kLocalsMax)
      fail(tree, fmt::format("more than {} variables inside each other", Evaluation::kLocalsMax));
    ExprNodePtr list = check(*tree.children[0]);
    if (!may_be(list->type(), ExprType::kList) && !may_be(list->type(), ExprType::kMap))
      fail(*tree.children[0], fmt::format("a list is expected, this is of type {}", to_text(list->type())));
    locals_.push_back(tree.children[1]->text);
    ExprNodePtr body = check(*tree.children[2]);
    locals_.pop_back();
    if (macro != Macro::kMap) require_condition(*tree.children[2], *body);
    const bool gives_list = macro == Macro::kMap || macro == Macro::kFilter;
    return make_macro(macro, gives_list ? ExprType::kList : ExprType::kBool, std::move(list), locals_.size(),
                      std::move(body));
  }

  ExprNodePtr operation(const ExprTree& tree) {
    std::vector<ExprNodePtr> nodes = all(tree.children);
    const auto type = [&](std::size_t i) { return nodes[i]->type(); };
    const std::string& name = tree.text;
    if (name == "&&" || name == "||") {
      for (std::size_t i : {0U, 1U}) require_condition(*tree.children[i], *nodes[i]);
      return make_logic(name == "&&", std::move(nodes[0]), std::move(nodes[1]));
    }
    if (name == "!") {
      require_condition(*tree.children[0], *nodes[0]);
      return make_not(std::move(nodes[0]));
    }
    if (name == "?:") {
      require_condition(*tree.children[0], *nodes[0]);
      const ExprType both = type(1) == type(2) ? type(1) : ExprType::kDyn;
      return make_conditional(both, std::move(nodes[0]), std::move(nodes[1]), std::move(nodes[2]));
    }
    if (name == "neg") {
      if (!is_dyn(type(0)) && !is_number(type(0)) && type(0) != ExprType::kDuration) no_operator(tree, nodes);
      const ExprType number = type(0);
      const bool constant = nodes[0]->constant() != nullptr;
      return folded(tree, make_negative(number, std::move(nodes[0])), constant);
    }
    if (name == "[]") {
      const bool of_list = may_be(type(0), ExprType::kList) && may_be(type(1), ExprType::kInt);
      const bool of_map = may_be(type(0), ExprType::kMap) && may_be(type(1), ExprType::kString);
      if (!of_list && !of_map) no_operator(tree, nodes);
      return make_index(std::move(nodes[0]), std::move(nodes[1]));
    }
    if (name == "in") {
      if (!may_be(type(1), ExprType::kList) && !may_be(type(1), ExprType::kMap)) no_operator(tree, nodes);
      return make_in(std::move(nodes[0]), std::move(nodes[1]));
    }
    if (const auto comparison = find_name(kComparisons, name))
      return compare(tree, *comparison, std::move(nodes));
    return calculate(tree, *find_name(kArithmetic, name), std::move(nodes));
  }

  ExprNodePtr compare(const ExprTree& tree, Comparison comparison, std::vector<ExprNodePtr> nodes) {
    const ExprType left = nodes[0]->type(), right = nodes[1]->type();
    const bool equality = comparison == Comparison::kEqual || comparison == Comparison::kNotEqual;
    const auto has_order = [](ExprType type) {
      return type != ExprType::kNull && type != ExprType::kList && type != ExprType::kMap;
    };
    const bool with_null = equality && (left == ExprType::kNull || right == ExprType::kNull);
    const bool same = may_be(left, right) || (is_number(left) && is_number(right));
    if ((!same && !with_null) || (!equality && (!has_order(left) || !has_order(right))))
      no_operator(tree, nodes);
    // A constant to the right: the comparisons that look at arrays of columns know only that.
    if (nodes[0]->constant() != nullptr && nodes[1]->constant() == nullptr) {
      static constexpr Comparison kMirrored[] = {Comparison::kEqual,   Comparison::kNotEqual,
                                                 Comparison::kGreater, Comparison::kGreaterEqual,
                                                 Comparison::kLess,    Comparison::kLessEqual};
      comparison = kMirrored[static_cast<std::size_t>(comparison)];
      std::swap(nodes[0], nodes[1]);
    }
    return make_comparison(comparison, std::move(nodes[0]), std::move(nodes[1]));
  }

  ExprNodePtr calculate(const ExprTree& tree, Arithmetic operation, std::vector<ExprNodePtr> nodes) {
    const auto type = calculated_type(operation, nodes[0]->type(), nodes[1]->type());
    if (!type) no_operator(tree, nodes);
    const bool constant = nodes[0]->constant() != nullptr && nodes[1]->constant() != nullptr;
    return folded(tree, make_arithmetic(*type, operation, std::move(nodes[0]), std::move(nodes[1])),
                  constant);
  }

  static std::optional<ExprType> calculated_type(Arithmetic operation, ExprType left, ExprType right) {
    using enum ExprType;
    const bool add = operation == Arithmetic::kAdd, subtract = operation == Arithmetic::kSubtract;
    const auto takes_part = [&](ExprType type) {
      if (is_dyn(type) || is_number(type)) return true;
      if (type == kString || type == kList) return add;
      return (type == kTimestamp || type == kDuration) && (add || subtract);
    };
    if (!takes_part(left) || !takes_part(right)) return std::nullopt;
    if (is_dyn(left) || is_dyn(right)) return kDyn;
    if (left == right) {
      if (left == kTimestamp) return subtract ? std::optional(kDuration) : std::nullopt;
      if (left == kDouble && operation == Arithmetic::kRemainder) return std::nullopt;
      return left;
    }
    if (left == kTimestamp && right == kDuration) return kTimestamp;
    if (left == kDuration && right == kTimestamp && add) return kTimestamp;
    return std::nullopt;
  }

  [[noreturn]] static void no_operator(const ExprTree& tree, const std::vector<ExprNodePtr>& nodes) {
    std::vector<std::string_view> types;
    for (const ExprNodePtr& node : nodes) types.push_back(to_text(node->type()));
    std::string hint;
    if (nodes.size() == 2 && nodes[0]->type() != nodes[1]->type()) {
      if (is_number(nodes[0]->type()) && is_number(nodes[1]->type())) {
        hint = "make one of them the other: double(...), int(...)";
      } else if (nodes[0]->type() == ExprType::kString || nodes[1]->type() == ExprType::kString) {
        hint = "make it a text with string(...), or the text a number with int(...) or double(...)";
      }
    }
    fail(tree,
         fmt::format("{} is not defined for ({})", tree.text == "neg" ? "-" : tree.text,
                     fmt::join(types, ", ")),
         std::move(hint));
  }

  const FieldSchema& schema_;
  std::vector<std::string> fields_;
  std::vector<std::string> locals_;
  bool all_constant_ = false;  // the arguments of the call that was looked at last
};

}  // namespace

std::string_view to_text(ExprType type) {
  switch (type) {
    case ExprType::kDyn:
      return "any";
    case ExprType::kNull:
      return "null";
    case ExprType::kBool:
      return "bool";
    case ExprType::kInt:
      return "int";
    case ExprType::kDouble:
      return "double";
    case ExprType::kString:
      return "string";
    case ExprType::kTimestamp:
      return "timestamp";
    case ExprType::kDuration:
      return "duration";
    case ExprType::kList:
      return "list";
    case ExprType::kMap:
      return "map";
  }
  return "";
}

std::string_view to_text(ExprFault fault) {
  switch (fault) {
    case ExprFault::kNoField:
      return "no_such_field";
    case ExprFault::kType:
      return "wrong_type";
    case ExprFault::kOverflow:
      return "overflow";
    case ExprFault::kDivision:
      return "division_by_zero";
    case ExprFault::kConversion:
      return "conversion";
    case ExprFault::kIndex:
      return "out_of_range";
    case ExprFault::kMatchLimit:
      return "match_limit";
    case ExprFault::kTooLarge:
      return "too_large";
  }
  return "";
}

namespace {

template <typename Wanted>
std::variant<Expression, ExpressionError> compiled(const ExprTree& tree, const FieldSchema& schema,
                                                   const Wanted& make) {
  try {
    Checker checker(schema);
    ExprNodePtr root = checker.check(tree);
    return make(tree, std::move(root), checker.take_fields());
  } catch (Failure& failure) {
    return std::move(failure.error);
  }
}

template <typename Wanted>
std::variant<Expression, ExpressionError> compiled(std::string_view text, const FieldSchema& schema,
                                                   const Wanted& make) {
  auto parsed = parse_expression(text);
  if (auto* const error = std::get_if<ExpressionError>(&parsed)) return std::move(*error);
  return compiled(*std::get<ExprTreePtr>(parsed), schema, make);
}

// `name` up to a dot is a field's, the rest is that of a key in it, unless there is a field of the whole
// name.
ExprTreePtr tree_of_field(std::string_view name, const FieldSchema& schema) {
  auto tree = std::make_unique<ExprTree>();
  const std::size_t dot = schema.fields.contains(name) ? std::string_view::npos : name.rfind('.');
  if (dot == std::string_view::npos) {
    tree->kind = ExprTree::Kind::kName;
    tree->text = name;
  } else {
    tree->kind = ExprTree::Kind::kSelect;
    tree->text = name.substr(dot + 1);
    tree->children.push_back(tree_of_field(name.substr(0, dot), schema));
  }
  return tree;
}

}  // namespace

std::variant<Expression, ExpressionError> Expression::compile(std::string_view text,
                                                              const FieldSchema& schema) {
  return compiled(text, schema,
                  [](const ExprTree& /*tree*/, ExprNodePtr root, std::vector<std::string> fields) {
                    return Expression(std::move(root), std::move(fields));
                  });
}

std::variant<Expression, ExpressionError> Expression::compile_condition(std::string_view text,
                                                                        const FieldSchema& schema) {
  return compiled(text, schema, [](const ExprTree& tree, ExprNodePtr root, std::vector<std::string> fields) {
    Checker::require_condition(tree, *root);
    return Expression(std::move(root), std::move(fields));
  });
}

std::variant<Expression, ExpressionError> Expression::of_field(std::string_view name,
                                                               const FieldSchema& schema) {
  if (std::ranges::count(name, '.') > static_cast<std::ptrdiff_t>(kExprDepthMax))
    return ExpressionError{0, 1, "has too many dots", {}};
  return compiled(*tree_of_field(name, schema), schema,
                  [](const ExprTree& /*tree*/, ExprNodePtr root, std::vector<std::string> fields) {
                    return Expression(std::move(root), std::move(fields));
                  });
}

void Expression::values(Evaluation& evaluation, const Rows& rows, Value* out) const {
  for (std::uint32_t done = 0; done < rows.count; done += Evaluation::kRowsMax) {
    const std::uint32_t count = std::min(rows.count - done, Evaluation::kRowsMax);
    root_->values(evaluation, rows.part(done, count), out + done);
  }
}

std::uint32_t Expression::select(Evaluation& evaluation, const Rows& rows, std::uint32_t* out,
                                 FaultCounts& faults) const {
  std::array<Truth, Evaluation::kRowsMax> truths;
  std::uint32_t selected = 0;
  for (std::uint32_t done = 0; done < rows.count; done += Evaluation::kRowsMax) {
    const Rows part = rows.part(done, std::min(rows.count - done, Evaluation::kRowsMax));
    root_->truth(evaluation, part, truths.data());
    Truth any = 0;
    part.each([&](std::uint32_t i, std::uint32_t row) {
      out[selected] = row;
      selected += truths[i] == kTrue ? 1 : 0;
      any |= truths[i];
    });
    if (any < kFaulty) continue;
    for (std::uint32_t i = 0; i < part.count; ++i) {
      if (truths[i] >= kFaulty) ++faults[truths[i] & ~kFaulty];
    }
  }
  return selected;
}

}  // namespace logflume
