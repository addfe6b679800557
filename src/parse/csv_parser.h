// Lines of comma-separated values (RFC 4180), one record a line.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "parse/field_value.h"
#include "parse/parser.h"

namespace logflume {

struct CsvParserConfig {
  std::vector<std::string> columns;  // names, in the order of the record
  char delimiter = ',';
  std::map<std::string, FieldType> types;  // others are strings; an empty value that is not quoted is null
  WantedFields wanted;
};

// Values may stand in double quotes, with "" for a quote in them. A record may have fewer values than there
// are names; one that has more is not accepted.
std::unique_ptr<Parser> make_csv_parser(CsvParserConfig config);

}  // namespace logflume
