#include "transform/condition.h"

namespace logflume {
namespace {

std::variant<SharedExpression, TransformError> shared(const std::string& key,
                                                      std::variant<Expression, ExpressionError> compiled) {
  if (const auto* const error = std::get_if<ExpressionError>(&compiled)) return error_of(key, *error);
  return std::make_shared<const Expression>(std::move(std::get<Expression>(compiled)));
}

}  // namespace

std::variant<SharedExpression, TransformError> compile_condition(const std::string& key,
                                                                 const std::string& text,
                                                                 const FieldSchema& in) {
  return shared(key, Expression::compile_condition(text, in));
}

std::variant<SharedExpression, TransformError> compile_value(const std::string& key, const std::string& text,
                                                             const FieldSchema& in) {
  return shared(key, Expression::compile(text, in));
}

std::variant<SharedExpression, TransformError> compile_field(const std::string& key, const std::string& name,
                                                             const FieldSchema& in) {
  auto compiled = shared(key, Expression::of_field(name, in));
  if (auto* const error = std::get_if<TransformError>(&compiled)) error->at = SIZE_MAX;
  return compiled;
}

void Condition::select(const Frame& frame, std::vector<std::uint32_t>& rows, StageReport& report) {
  rows.resize(frame.rows.size());
  if (rows.empty()) return;
  reader_.begin(frame, evaluation_);
  FaultCounts faults{};
  const Rows of{frame.rows.data(), 0, static_cast<std::uint32_t>(frame.rows.size())};
  rows.resize(expression_->select(evaluation_, of, rows.data(), faults));
  report.errors_of(faults);
}

void add_needs(const Expression& expression, WantedFields& needs) {
  for (const std::string& name : expression.fields()) {
    needs.names.insert(name);
    // A key of an object may be looked up in the object's text.
    if (const std::size_t dot = name.find('.'); dot != std::string::npos)
      needs.names.insert(name.substr(0, dot));
  }
}

}  // namespace logflume
