// What an expression makes of each event of a frame.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "transform/condition.h"

namespace logflume {

// A number, or a text that is one; a length of time in seconds. Nothing for all else.
std::optional<double> number_of(const Value& value);

// Threads: one.
class ValueReader {
 public:
  ValueReader(SharedExpression expression, std::string host)
      : expression_(std::move(expression)), reader_(expression_->fields(), std::move(host)) {}

  // Computes the values of all the frame's rows. They, and it, stay until the next begin().
  void begin(const Frame& frame);
  // Of frame.rows[index].
  const Value& operator[](std::size_t index) const { return values_[index]; }
  // As string() writes it; stays until the next call. Of a fault, and of null: nothing, and false.
  bool text(std::size_t index, std::string_view& text);
  // Its kind, its length and its text: no two lists of values give the same bytes.
  void append_key(std::size_t index, std::string& key);
  std::size_t memory_bytes() const { return values_.capacity() * sizeof(Value) + reader_.memory_bytes(); }

 private:
  const SharedExpression expression_;
  FieldReader reader_;
  Evaluation evaluation_;
  std::vector<Value> values_;
  std::string text_;
};

}  // namespace logflume
