#pragma once

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "telemetry/json_text.h"

namespace logflume {

// Writes objects and lists without counting commas by hand.
//
// Threads: one.
class JsonWriter {
 public:
  JsonWriter& open(char bracket) {
    comma();
    out_ += bracket;
    first_ = true;
    return *this;
  }
  JsonWriter& close(char bracket) {
    out_ += bracket;
    first_ = false;
    return *this;
  }
  JsonWriter& key(const std::string& name) {
    comma();
    append_json_string(out_, name);
    out_ += ':';
    first_ = true;
    return *this;
  }
  JsonWriter& text(const std::string& value) {
    comma();
    append_json_string(out_, value);
    return *this;
  }
  JsonWriter& raw(const std::string& value) {
    comma();
    out_ += value;
    return *this;
  }
  // JSON has no infinity and no NaN.
  JsonWriter& number(std::optional<double> value) {
    return raw(value && std::isfinite(*value) ? fmt::format("{}", *value) : "null");
  }
  JsonWriter& texts(const std::vector<std::string>& values) {
    open('[');
    for (const std::string& value : values) text(value);
    return close(']');
  }
  std::string take() { return std::move(out_); }

 private:
  void comma() {
    if (!first_) out_ += ',';
    first_ = false;
  }

  std::string out_;
  bool first_ = true;
};

}  // namespace logflume
