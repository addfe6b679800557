#include "expression/json_reader.h"

#include <simdjson.h>

#include <cstring>
#include <string>

namespace logflume {

using simdjson::ondemand::json_type;

class JsonReader::Parser {
 public:
  // The document, in a copy that is padded.
  simdjson::simdjson_result<simdjson::ondemand::document> iterate(std::string_view text) {
    buffer_.resize(text.size() + simdjson::SIMDJSON_PADDING);
    std::memcpy(buffer_.data(), text.data(), text.size());
    return parser_.iterate(buffer_.data(), text.size(), buffer_.size());
  }

  static Value value(simdjson::simdjson_result<simdjson::ondemand::value> found, Arena& arena) {
    json_type type{};
    if (found.type().get(type) != simdjson::SUCCESS) return Value::of(ExprFault::kConversion);
    std::string_view text;
    bool flag = false;
    switch (type) {
      case json_type::object: {
        simdjson::ondemand::object object;
        if (found.get_object().get(object) != simdjson::SUCCESS) return Value::of(ExprFault::kConversion);
        if (object.raw_json().get(text) != simdjson::SUCCESS) return Value::of(ExprFault::kConversion);
        return arena.keep(trimmed(text), Value::Tag::kJson);
      }
      case json_type::array: {
        simdjson::ondemand::array array;
        if (found.get_array().get(array) != simdjson::SUCCESS) return Value::of(ExprFault::kConversion);
        if (array.raw_json().get(text) != simdjson::SUCCESS) return Value::of(ExprFault::kConversion);
        return arena.keep(trimmed(text), Value::Tag::kJson);
      }
      case json_type::number:
        return arena.keep(trimmed(found.raw_json_token()), Value::Tag::kNumber);
      case json_type::string:
        if (found.get_string().get(text) != simdjson::SUCCESS) return Value::of(ExprFault::kConversion);
        return arena.keep(text, Value::Tag::kString);
      case json_type::boolean:
        if (found.get_bool().get(flag) != simdjson::SUCCESS) return Value::of(ExprFault::kConversion);
        return Value::of(flag);
      case json_type::null:
        return Value{};
    }
    return Value::of(ExprFault::kConversion);
  }

 private:
  static std::string_view trimmed(std::string_view text) {
    const std::size_t end = text.find_last_not_of(" \t\r\n");
    return text.substr(0, end + 1);
  }

  simdjson::ondemand::parser parser_;
  std::string buffer_;
};

JsonReader::JsonReader() : parser_(std::make_unique<Parser>()) {}
JsonReader::~JsonReader() = default;

Value JsonReader::select(std::string_view text, std::string_view key, Arena& arena) {
  simdjson::ondemand::document document;
  if (parser_->iterate(text).get(document) != simdjson::SUCCESS) return Value::of(ExprFault::kConversion);
  simdjson::ondemand::object object;
  const auto opened = document.get_object().get(object);
  if (opened == simdjson::INCORRECT_TYPE) return Value::of(ExprFault::kType);
  if (opened != simdjson::SUCCESS) return Value::of(ExprFault::kConversion);
  for (auto field : object) {
    std::string_view name;
    if (field.unescaped_key().get(name) != simdjson::SUCCESS) return Value::of(ExprFault::kConversion);
    if (name == key) return Parser::value(field.value(), arena);
  }
  return Value::of(ExprFault::kNoField);
}

Value JsonReader::items(std::string_view text, Arena& arena) {
  simdjson::ondemand::document document;
  if (parser_->iterate(text).get(document) != simdjson::SUCCESS) return Value::of(ExprFault::kConversion);
  items_.clear();
  simdjson::ondemand::array array;
  simdjson::ondemand::object object;
  const auto as_array = document.get_array().get(array);
  const auto as_object = as_array == simdjson::INCORRECT_TYPE ? document.get_object().get(object) : as_array;
  if (as_array == simdjson::SUCCESS) {
    for (auto element : array) {
      items_.push_back(Parser::value(element, arena));
      if (items_.back().is_fault()) return items_.back();
    }
  } else if (as_object == simdjson::SUCCESS) {
    for (auto field : object) {
      std::string_view name;
      if (field.unescaped_key().get(name) != simdjson::SUCCESS) return Value::of(ExprFault::kConversion);
      items_.push_back(arena.keep(name, Value::Tag::kString));
      if (items_.back().is_fault()) return items_.back();
    }
  } else {
    return Value::of(as_object == simdjson::INCORRECT_TYPE ? ExprFault::kType : ExprFault::kConversion);
  }
  return arena.list(items_);
}

}  // namespace logflume
