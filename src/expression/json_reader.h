// Looks into a value of JSON that a column keeps as text.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "expression/arena.h"
#include "expression/value.h"

namespace logflume {

// Threads: one. What it returns views `arena`.
class JsonReader {
 public:
  JsonReader();
  ~JsonReader();

  // The value of a key of an object: kNoField where there is none (the first where there are several), kType
  // where `text` is no object, kConversion where it is damaged on the way there.
  Value select(std::string_view text, std::string_view key, Arena& arena);
  // The elements of an array, or of an object its keys. A fault as above.
  Value items(std::string_view text, Arena& arena);

 private:
  class Parser;
  std::unique_ptr<Parser> parser_;
  std::vector<Value> items_;
};

}  // namespace logflume
