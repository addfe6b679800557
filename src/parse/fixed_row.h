// The fields of a line where a format has always the same ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "event/columns.h"

namespace logflume {

// While a column has a value of each line, and all of one kind, it is steady: a value is written to its place
// in the column at once, and when the line is accepted the column just counts it. A line that is not accepted
// leaves what nobody counts. The other values wait in a list.
//
// Threads: one.
class FixedRow {
  static constexpr auto kNotSteady = static_cast<ValueKind>(0xFF);

 public:
  class Field {
    friend class FixedRow;
    Column* column = nullptr;
    Slot* slots = nullptr;  // of the column, where it is steady
    ValueKind steady = kNotSteady;
  };

  // Of these columns, from now on; at most so many fields are added. REQUIRES: the columns stay, and nobody
  // else adds to those of the fields.
  void begin(Columns& columns, std::size_t fields_max);
  // Of a column that has nothing yet and no field. It stays until the next begin().
  Field* add_field(std::size_t column);
  // Of the next line. What another one left, that was not accepted, is void.
  void clear() {
    others_.clear();
    breaks_ = false;
  }
  // REQUIRES: each field once for each line that is committed; kMissing: the line has it not.
  void set(const Field& field, ValueKind kind, Slot slot) {
    if (kind == field.steady) [[likely]] {
      field.slots[next_] = slot;
    } else {
      set_other(field, kind, slot);
    }
  }
  // REQUIRES: `row` is above all rows that the columns have.
  void commit(std::size_t row) {
    if (row != next_ || breaks_) [[unlikely]]
      leave_steady(row);
    for (Column* const column : steady_) column->add_steady();
    for (const Other& other : others_) fields_[other.field].column->add(row, other.kind, other.slot);
    next_ = row + 1;
    if (--room_ == 0) find_steady();
  }

 private:
  struct Other {
    std::uint32_t field;
    ValueKind kind;
    Slot slot;
  };

  void set_other(const Field& field, ValueKind kind, Slot slot);
  void find_steady();
  void leave_steady(std::size_t row);

  Columns* columns_ = nullptr;
  std::vector<Field> fields_;
  std::vector<Column*> steady_;  // those that have all of the rows before `next_`, of one kind
  std::vector<Other> others_;
  bool breaks_ = false;  // one of the others is of a column that was steady so far
  std::size_t next_ = 0;
  std::size_t room_ = 0;  // rows until columns have to be looked at again
};

}  // namespace logflume
