// Lines by a regular expression: its named groups are the fields.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "parse/field_value.h"
#include "parse/parser.h"

namespace logflume {

struct RegexParserConfig {
  std::string pattern;                     // searched for anywhere in the line
  std::map<std::string, FieldType> types;  // by group; others are strings
  WantedFields wanted;
  std::map<std::string, std::string> fields =
      {};  // by group: the field it gives; others give one of their name
};

// A group that took no part in the match gives no field; of several that give the same the last one counts.
// Errors: kInvalidArgument: the pattern is wrong, has no named group, or none of a name in `types`.
Result<std::unique_ptr<Parser>> make_regex_parser(const RegexParserConfig& config);

}  // namespace logflume
