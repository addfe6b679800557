// Lines through a parser, and their fields as text.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/civil_time.h"
#include "parse/parser.h"

namespace logflume {

inline std::string field_text(const Columns& columns, const Column& column, std::size_t row) {
  const std::size_t at = column.find(row);
  if (at == Column::kNone) return "-";
  const Slot slot = column.slot_at(at);
  switch (column.kind_at(at)) {
    case ValueKind::kNull:
      return "null";
    case ValueKind::kBool:
      return slot.integer != 0 ? "true" : "false";
    case ValueKind::kInt:
      return fmt::format("{}", slot.integer);
    case ValueKind::kDouble:
      return fmt::format("{}", slot.real);
    case ValueKind::kTimestamp:
      return format_rfc3339(slot.integer);
    case ValueKind::kString:
      return fmt::format("\"{}\"", columns.text(slot.text));
    case ValueKind::kNumber:
      return fmt::format("#{}", columns.text(slot.text));
    case ValueKind::kJson:
      return std::string(columns.text(slot.text));
    default:
      return "?";
  }
}

// The lines of a batch, as they stand in a slab: 64 bytes behind them may be read.
constexpr std::int64_t kTestNowNs = 1767323045678000000;  // 2026-01-02T03:04:05.678Z

class ParsedLines {
 public:
  using Fields = std::map<std::string, std::string>;

  ParsedLines(Parser& parser, const std::vector<std::string>& lines) {
    for (const std::string& line : lines) text_ += line + "\n";
    const std::size_t size = text_.size();
    text_.resize(size + 64, '"');
    columns_.begin(std::string_view(text_).substr(0, size), lines.size());
    parser.begin(columns_, kTestNowNs);
    std::size_t at = 0;
    for (std::size_t row = 0; row < lines.size(); ++row) {
      const std::string_view line = std::string_view(text_).substr(at, lines[row].size());
      at += line.size() + 1;
      found_.clear();
      faults_.push_back(parser.parse(line, found_));
      if (faults_.back() == ParseFault::kNone) found_.commit(columns_, row);
    }
  }

  ParseFault fault(std::size_t row) const { return faults_[row]; }
  Fields fields(std::size_t row) const {
    Fields found;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string text = field_text(columns_, columns_.at(i), row);
      if (text != "-") found[columns_.at(i).name()] = text;
    }
    return found;
  }
  const Columns& columns() const { return columns_; }

 private:
  std::string text_;
  Columns columns_;
  FoundFields found_;
  std::vector<ParseFault> faults_;
};

// Of one line; a fault is the field "fault".
inline ParsedLines::Fields parse_line(Parser& parser, const std::string& line) {
  const ParsedLines parsed(parser, {line});
  if (parsed.fault(0) == ParseFault::kNone) return parsed.fields(0);
  EXPECT_TRUE(parsed.fields(0).empty());
  return {{"fault", std::string(to_text(parsed.fault(0)))}};
}

}  // namespace logflume
