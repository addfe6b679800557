#include "multiline/multiline_description.h"

#include "multiline/line_pattern.h"

namespace logflume {

std::string check_line_pattern(const std::string& text) {
  if (text.empty()) return "an empty text";
  const Result<LinePattern> compiled = LinePattern::compile(text);
  return compiled ? std::string() : compiled.error().message;
}

}  // namespace logflume
