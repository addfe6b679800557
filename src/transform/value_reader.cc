#include "transform/value_reader.h"

#include "expression/functions.h"

namespace logflume {

void ValueReader::begin(const Frame& frame) {
  values_.resize(frame.rows.size());
  if (values_.empty()) return;
  reader_.begin(frame, evaluation_);
  const Rows rows{frame.rows.data(), 0, static_cast<std::uint32_t>(frame.rows.size())};
  expression_->values(evaluation_, rows, values_.data());
}

bool ValueReader::text(std::size_t index, std::string_view& text) {
  const Value& value = values_[index];
  text = {};
  if (value.is_fault() || value.is(Value::Tag::kNull)) return false;
  if (value.is(Value::Tag::kString) || value.is(Value::Tag::kNumber) || value.is(Value::Tag::kJson)) {
    text = value.text();
    return true;
  }
  text_.clear();
  append_text(value, text_);
  text = text_;
  return true;
}

}  // namespace logflume
