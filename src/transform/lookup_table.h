// A table of a file: rows by a key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "event/columns.h"

namespace logflume {

struct LookupTableConfig {
  enum class Format { kByName, kCsv, kJson };
  Format format = Format::kByName;  // .json is JSON, everything else CSV
  char delimiter = ',';
  std::string key_column{};            // empty: the first column of CSV, the names of a JSON object
  std::vector<std::string> columns{};  // those that are kept; none: all but that of the key
  std::size_t bytes_max = 0;           // of the file
};

// From CSV (RFC 4180) whose first record has the names of the columns; from a JSON array of objects, or an
// object of objects, whose names are keys. What stands empty and without quotes in CSV is not there; nested
// values of JSON are texts. Of several rows with one key the last one counts.
//
// Threads: immutable; any.
class LookupTable {
 public:
  static constexpr std::size_t kColumnsMax = 256;
  struct Cell {
    std::uint32_t column;
    ValueKind kind;
    Slot slot;  // texts stand in text()
  };

  // Errors: those of reading; kInvalidArgument: what it holds is no such table, or a column is missing.
  static Result<std::shared_ptr<const LookupTable>> read(const std::string& path,
                                                         const LookupTableConfig& config);
  // `format` is not kByName.
  static Result<std::shared_ptr<const LookupTable>> parse(std::string_view content,
                                                          const LookupTableConfig& config);

  const std::vector<std::string>& columns() const { return columns_; }
  std::size_t keys() const { return rows_.size(); }
  // What the row has; null when there is none.
  struct Row {
    std::uint32_t begin;
    std::uint32_t end;
  };
  const Row* find(std::string_view key) const {
    const auto found = rows_.find(key);
    return found == rows_.end() ? nullptr : &found->second;
  }
  std::span<const Cell> cells(const Row& row) const {
    return {cells_.data() + row.begin, row.end - row.begin};
  }
  // 64 bytes behind it may be read.
  std::string_view text() const { return text_; }

 private:
  class Builder;

  std::string text_;
  std::vector<std::string> columns_;
  std::vector<Cell> cells_;
  std::unordered_map<std::string_view, Row> rows_;  // by key, in text_
};

}  // namespace logflume
