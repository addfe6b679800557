// From a line to its fields.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "event/columns.h"
#include "parse/fixed_row.h"

namespace logflume {

// Why a line was not accepted. As a metric's reason: to_text().
enum class ParseFault : std::uint8_t {
  kNone,
  kSyntax,      // it is not in the format
  kNumber,      // a value that should be a number is none
  kTime,        // a value that should be a time is none
  kDepth,       // nested too deep
  kMatchLimit,  // a regular expression ran into its limits
  kTooLarge,    // the arena of the batch is full
};
std::string_view to_text(ParseFault fault);

// The fields that somebody downstream reads.
struct WantedFields {
  bool all = true;
  std::set<std::string, std::less<>> names;

  bool has(std::string_view name) const { return all || names.find(name) != names.end(); }
};

// Where fields go that have no column any more.
constexpr std::string_view kRestField = "_rest";

// What a line has, before it is added to the columns: a line that is not accepted leaves nothing.
class FoundFields {
 public:
  struct Field {
    std::uint32_t column;
    ValueKind kind;
    Slot slot;
  };
  // The last one counts where a field comes twice.
  void add(std::size_t column, ValueKind kind, Slot slot) {
    if (column >= places_.size()) places_.resize(column + 1, 0);
    std::uint32_t& place = places_[column];
    if (place < fields_.size() && fields_[place].column == column) {
      fields_[place] = {static_cast<std::uint32_t>(column), kind, slot};
      return;
    }
    place = static_cast<std::uint32_t>(fields_.size());
    fields_.push_back({static_cast<std::uint32_t>(column), kind, slot});
  }
  // Of a field that this line has not given before.
  void add_new(std::size_t column, ValueKind kind, Slot slot) {
    fields_.push_back({static_cast<std::uint32_t>(column), kind, slot});
  }
  // They stand in `row`, all of them, until it is begun anew.
  void set(FixedRow& row) { row_ = &row; }
  void clear() {
    fields_.clear();
    row_ = nullptr;
  }
  // To the columns. REQUIRES: `row` is above all rows that these columns have.
  void commit(Columns& columns, std::size_t row) const {
    if (row_ != nullptr) return row_->commit(row);
    for (const Field& field : fields_) columns.at(field.column).add(row, field.kind, field.slot);
  }

 private:
  std::vector<Field> fields_;
  std::vector<std::uint32_t> places_;  // by column: where it may stand in fields_
  FixedRow* row_ = nullptr;
};

// Threads: one. Lines are hostile.
class Parser {
 public:
  virtual ~Parser() = default;

  // The columns that the next lines' fields go to; `now_ns`: when the lines were read, for times without a
  // year. REQUIRES: the columns stay, and lines lie in their text or arena.
  virtual void begin(Columns& columns, std::int64_t now_ns) = 0;
  // `line`, without its newline; columns.h says what may be read behind it. On a fault what was found is
  // void.
  virtual ParseFault parse(std::string_view line, FoundFields& found) = 0;
};

}  // namespace logflume
