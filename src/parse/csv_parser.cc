#include "parse/csv_parser.h"

#include <algorithm>
#include <utility>

namespace logflume {
namespace {

class CsvParser final : public Parser {
 public:
  explicit CsvParser(CsvParserConfig config) : config_(std::move(config)) {
    for (const std::string& name : config_.columns) {
      const auto type = config_.types.find(name);
      values_.push_back(
          {type == config_.types.end() ? FieldType::kString : type->second, config_.wanted.has(name), 0});
    }
  }

  void begin(Columns& columns, std::int64_t /*now_ns*/) override {
    columns_ = &columns;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (values_[i].wanted) values_[i].column = columns.index_of(config_.columns[i]);
    }
  }

  ParseFault parse(std::string_view line, FoundFields& found) override {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) return ParseFault::kSyntax;
    std::size_t at = 0;
    for (std::size_t number = 0;; ++number) {
      if (number == values_.size()) return ParseFault::kSyntax;
      const ParseFault fault = value(line, at, values_[number], found);
      if (fault != ParseFault::kNone) return fault;
      if (at == line.size()) return ParseFault::kNone;
      if (line[at] != config_.delimiter) return ParseFault::kSyntax;
      ++at;
    }
  }

 private:
  struct Value {
    FieldType type;
    bool wanted;
    std::size_t column;
  };

  // At `at`, which goes on behind it.
  ParseFault value(std::string_view line, std::size_t& at, const Value& value, FoundFields& found) {
    std::string_view text;
    const bool quoted = at < line.size() && line[at] == '"';
    if (!quoted) {
      const std::size_t begin = at;
      at = std::min(line.find(config_.delimiter, at), line.size());
      text = line.substr(begin, at - begin);
      if (text.find('"') != std::string_view::npos) return ParseFault::kSyntax;
    } else if (!take_quoted(line, at, text)) {
      return ParseFault::kSyntax;
    }
    ValueKind kind = ValueKind::kNull;
    Slot slot = Slot::null();
    if (quoted || !text.empty()) {
      const ParseFault fault = field_value(*columns_, text, value.type, kind, slot);
      if (fault != ParseFault::kNone) return fault;
    }
    if (value.wanted) found.add(value.column, kind, slot);
    return ParseFault::kNone;
  }

  bool take_quoted(std::string_view line, std::size_t& at, std::string_view& text) {
    const std::size_t begin = ++at;
    bool doubled = false;
    for (;;) {
      at = line.find('"', at);
      if (at == std::string_view::npos) return false;
      if (at + 1 == line.size() || line[at + 1] != '"') break;
      doubled = true;
      at += 2;
    }
    text = line.substr(begin, at - begin);
    ++at;
    if (!doubled) return true;
    char* const room = columns_->begin_text(text.size());
    if (room == nullptr) return false;
    char* end = room;
    for (std::size_t i = 0; i < text.size(); ++i) {
      *end++ = text[i];
      if (text[i] == '"') ++i;
    }
    text = columns_->text(columns_->finish_text(static_cast<std::size_t>(end - room)));
    return true;
  }

  const CsvParserConfig config_;
  std::vector<Value> values_;
  Columns* columns_ = nullptr;
};

}  // namespace

std::unique_ptr<Parser> make_csv_parser(CsvParserConfig config) {
  return std::make_unique<CsvParser>(std::move(config));
}

}  // namespace logflume
