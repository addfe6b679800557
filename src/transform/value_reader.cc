#include "transform/value_reader.h"

#include <charconv>

#include "expression/functions.h"

namespace logflume {

std::optional<double> number_of(const Value& value) {
  switch (value.tag) {
    case Value::Tag::kBool:
    case Value::Tag::kInt:
      return static_cast<double>(value.integer);
    case Value::Tag::kDouble:
      return value.real;
    case Value::Tag::kTimestamp:
    case Value::Tag::kDuration:
      return static_cast<double>(value.integer) / 1e9;
    case Value::Tag::kString:
    case Value::Tag::kNumber: {
      const std::string_view text = value.text();
      double number = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
      return number;
    }
    case Value::Tag::kFault:
    case Value::Tag::kNull:
    case Value::Tag::kJson:
    case Value::Tag::kList:
      break;
  }
  return std::nullopt;
}

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

void ValueReader::append_key(std::size_t index, std::string& key) {
  std::string_view value;
  const bool there = text(index, value);
  const Value& what = values_[index];
  key += !there ? (what.is_fault() ? '-' : '0') : what.is(Value::Tag::kString) ? 's' : 'v';
  const std::uint64_t bytes = value.size();
  key.append(reinterpret_cast<const char*>(&bytes), sizeof bytes);
  key += value;
}

}  // namespace logflume
