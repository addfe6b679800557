// A condition over the events of a frame.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "transform/field_reader.h"
#include "transform/transform.h"

namespace logflume {

// Compiled; shared by all that evaluate it.
using SharedExpression = std::shared_ptr<const Expression>;

// `key`: of the configuration, for errors.
std::variant<SharedExpression, TransformError> compile_condition(const std::string& key,
                                                                 const std::string& text,
                                                                 const FieldSchema& in);
std::variant<SharedExpression, TransformError> compile_value(const std::string& key, const std::string& text,
                                                             const FieldSchema& in);

// The field of that name. Errors: nothing that is known has it.
std::variant<SharedExpression, TransformError> compile_field(const std::string& key, const std::string& name,
                                                             const FieldSchema& in);

// The same for a value that may be left out, `compile` being one of these; an empty text leaves `into`
// null.
template <typename Compile>
std::optional<TransformError> compile_optional(const std::string& key, const std::string& text,
                                               const FieldSchema& in, const Compile& compile,
                                               SharedExpression& into) {
  if (text.empty()) return {};
  auto compiled = compile(key, text, in);
  if (auto* const error = std::get_if<TransformError>(&compiled)) return std::move(*error);
  into = std::get<SharedExpression>(std::move(compiled));
  return {};
}

// Threads: one.
class Condition {
 public:
  Condition(SharedExpression expression, std::string host)
      : expression_(std::move(expression)), reader_(expression_->fields(), std::move(host)) {}
  // Those of the frame's rows that meet it. What it cannot be asked of does not, and is counted.
  void select(const Frame& frame, std::vector<std::uint32_t>& rows, StageReport& report);
  std::size_t memory_bytes() const { return reader_.memory_bytes(); }

 private:
  const SharedExpression expression_;
  FieldReader reader_;
  Evaluation evaluation_;
};

// What these read of the events, added to what is wanted.
void add_needs(const Expression& expression, WantedFields& needs);

}  // namespace logflume
