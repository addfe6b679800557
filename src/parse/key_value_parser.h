// Lines of key=value pairs: logfmt, and its relatives with other separators.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "parse/field_value.h"
#include "parse/parser.h"

namespace logflume {

struct KeyValueParserConfig {
  char pair_separator = ' ';  // any number of them
  char key_separator = '=';
  bool bare_keys = true;  // a key without a value is true, as in logfmt; else the line is not accepted
  std::map<std::string, FieldType> types;  // others are strings
  WantedFields wanted;
  // Columns of a batch; the pairs of keys that have none are kept as they are, in the field "_rest".
  std::size_t fields_max = 256;
};

// A value may stand in double quotes, with \" \\ \n \t \r \/ \b \f and \uHHHH in it. A line without any pair
// is not accepted. Of a key that comes twice the last one counts.
std::unique_ptr<Parser> make_key_value_parser(KeyValueParserConfig config);

}  // namespace logflume
