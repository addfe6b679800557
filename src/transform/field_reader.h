// The fields of a frame as expressions read them.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "event/frame.h"
#include "expression/expression.h"

namespace logflume {

// By its name, or by the names of an object and of a key of it with a dot between.
const FrameField* find_field(const Frame& frame, std::string_view name);

// Threads: one.
class FieldReader {
 public:
  // `names`: as Expression::fields() has them; they stay.
  FieldReader(std::span<const std::string> names, std::string host);
  // What `evaluation` needs for an expression with these fields, over events of `frame`. Both stay until the
  // next begin().
  void begin(const Frame& frame, Evaluation& evaluation);
  std::size_t memory_bytes() const { return lines_.memory_bytes(); }

 private:
  const FieldView line_view(const Frame& frame);

  const std::span<const std::string> names_;
  const std::string host_;
  std::vector<FieldView> views_;
  std::array<Value, kBaseFields> base_;
  Columns lines_;  // `message` where it is the line
};

}  // namespace logflume
