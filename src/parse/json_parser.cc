#include "parse/json_parser.h"

#include <utility>

#include "parse/json_members.h"

namespace logflume {
namespace {

class JsonParser final : public Parser {
 public:
  explicit JsonParser(JsonParserConfig config) : config_(std::move(config)) {}

  void begin(Columns& columns, std::int64_t /*now_ns*/) override { members_.begin(columns); }
  ParseFault parse(std::string_view line, FoundFields& found) override { return members_.parse(line, found); }

 private:
  const JsonParserConfig config_;
  JsonMembers members_{config_.wanted, config_.fields_max};
};

}  // namespace

std::unique_ptr<Parser> make_json_parser(JsonParserConfig config) {
  return std::make_unique<JsonParser>(std::move(config));
}

}  // namespace logflume
