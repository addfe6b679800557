// Goal: a line is accepted, and gives the fields, as simdjson's document (its other, whole parser) says.
// Method: each line of the input; only numbers that fit no machine type are taken by ours alone.
#include <simdjson.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "parse/json_parser.h"

using namespace logflume;

namespace {

struct Model {
  bool accepted = false;
  bool undecided = false;  // by a number's size
  std::map<std::string, std::string> fields;
};

std::string text_of(simdjson::dom::element value) {
  if (value.is_string()) return "\"" + std::string(std::string_view(value));
  if (value.is_object() || value.is_array()) return simdjson::minify(value);
  if (value.is_null()) return "null";
  if (value.is_bool()) return bool(value) ? "true" : "false";
  return "#";
}

Model model(std::string_view line) {
  static simdjson::dom::parser parser;
  Model found;
  simdjson::dom::element root;
  const auto error = parser.parse(line.data(), line.size()).get(root);
  found.undecided = error == simdjson::NUMBER_ERROR || error == simdjson::DEPTH_ERROR;
  if (error != simdjson::SUCCESS || !root.is_object()) return found;
  found.accepted = true;
  for (const auto member : simdjson::dom::object(root))
    found.fields[std::string(member.key)] = text_of(member.value);
  return found;
}

// Minified, so that blanks do not count.
std::string text_of(const Columns& columns, const Column& column, std::size_t at) {
  const Slot slot = column.slot_at(at);
  switch (column.kind_at(at)) {
    case ValueKind::kNull:
      return "null";
    case ValueKind::kBool:
      return slot.integer != 0 ? "true" : "false";
    case ValueKind::kNumber:
      return "#";
    case ValueKind::kString:
      return "\"" + std::string(columns.text(slot.text));
    case ValueKind::kJson: {
      simdjson::dom::parser parser;
      simdjson::dom::element element;
      const std::string text(columns.text(slot.text));
      const auto error = parser.parse(text).get(element);
      // A number in it that fits nothing.
      if (error == simdjson::NUMBER_ERROR) return "undecided";
      FUZZ_CHECK(error == simdjson::SUCCESS);
      return simdjson::minify(element);
    }
    default:
      FUZZ_CHECK(false);
      return "";
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  std::string text(input);
  text.resize(size + 64, '}');
  const std::string_view lines(text.data(), size);
  Columns columns;
  FoundFields found;
  const auto parser = make_json_parser({});
  columns.begin(lines, size + 1);
  parser->begin(columns, 0);
  std::size_t row = 0;
  for (std::size_t begin = 0; begin <= size; ++row) {
    const std::size_t end = std::min(lines.find('\n', begin), size);
    const std::string_view line = lines.substr(begin, end - begin);
    begin = end + 1;
    found.clear();
    const ParseFault fault = parser->parse(line, found);
    const Model expected = model(line);
    if (fault == ParseFault::kDepth || expected.undecided) {
      if (fault == ParseFault::kNone) found.commit(columns, row);
      continue;
    }
    FUZZ_CHECK((fault == ParseFault::kNone) == expected.accepted);
    if (fault != ParseFault::kNone) continue;
    found.commit(columns, row);
    std::size_t present = 0;
    bool rest = false;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const Column& column = columns.at(i);
      const std::size_t at = column.find(row);
      if (at == Column::kNone) continue;
      ++present;
      if (columns.size() > 256) {
        rest = true;
        continue;
      }
      const auto same = expected.fields.find(column.name());
      FUZZ_CHECK(same != expected.fields.end());
      const std::string ours = text_of(columns, column, at);
      FUZZ_CHECK(ours == same->second || ours == "undecided");
    }
    FUZZ_CHECK(rest || present == expected.fields.size());
  }
  return 0;
}
