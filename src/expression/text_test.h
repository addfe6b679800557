// Whether texts are, begin with, end with or hold another one that is known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "expression/node_parts.h"

namespace logflume {

// Threads: any; it does not change.
class TextTest {
 public:
  TextTest(TextRelation relation, std::string wanted) : relation_(relation), wanted_(std::move(wanted)) {}

  bool holds(std::string_view text) const;
  // The same of a column's texts. REQUIRES: it is one of strings.
  void ask(const DenseColumn& column, const Rows& rows, Truth* out) const;

 private:
  template <TextRelation kRelation>
  void compare(const DenseColumn& column, const Rows& rows, Truth* out) const;
  void find(const DenseColumn& column, const Rows& rows, Truth* out) const;

  TextRelation relation_;
  std::string wanted_;
};

}  // namespace logflume
