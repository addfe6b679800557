// JSON objects, one a line: their members are the fields.
#pragma once

#include <memory>

#include "parse/parser.h"

namespace logflume {

struct JsonParserConfig {
  WantedFields wanted;
  // Columns of a batch; members beyond them are kept as JSON, all in one object, in the field kRestField.
  std::size_t fields_max = 256;
};

// The whole line is validated, also what nobody wants: simdjson on demand, UTF-8 included. A nested value is
// kept as its text, a number too. Of a member that comes twice the last one counts. At most 64 levels.
std::unique_ptr<Parser> make_json_parser(JsonParserConfig config);

}  // namespace logflume
