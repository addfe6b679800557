#include "parse/parser.h"

namespace logflume {

std::string_view to_text(ParseFault fault) {
  switch (fault) {
    case ParseFault::kNone:
      return "";
    case ParseFault::kSyntax:
      return "syntax";
    case ParseFault::kNumber:
      return "not_a_number";
    case ParseFault::kTime:
      return "not_a_time";
    case ParseFault::kDepth:
      return "too_deep";
    case ParseFault::kMatchLimit:
      return "match_limit";
    case ParseFault::kTooLarge:
      return "too_large";
  }
  return "";
}

}  // namespace logflume
