#include "parse/fixed_row.h"

#include <algorithm>
#include <limits>

namespace logflume {

void FixedRow::begin(Columns& columns, std::size_t fields_max) {
  columns_ = &columns;
  fields_.clear();
  fields_.reserve(fields_max);
  clear();
  steady_.clear();
  next_ = 0;
  room_ = 1;  // the first row says what is steady
}

FixedRow::Field* FixedRow::add_field(std::size_t column) {
  Field& field = fields_.emplace_back();
  field.column = &columns_->at(column);
  return &field;
}

void FixedRow::set_other(const Field& field, ValueKind kind, Slot slot) {
  others_.push_back({static_cast<std::uint32_t>(&field - fields_.data()), kind, slot});
  breaks_ |= field.steady != kNotSteady;
}

void FixedRow::find_steady() {
  steady_.clear();
  room_ = std::numeric_limits<std::size_t>::max();
  for (Field& field : fields_) {
    field.slots = field.column->steady_slots(next_);
    field.steady = field.slots != nullptr ? field.column->kind() : kNotSteady;
    if (field.slots == nullptr) continue;
    steady_.push_back(field.column);
    room_ = std::min(room_, field.column->room());
  }
}

// A column that is not steady any more will not be it again: what was written to its place is added as others
// are.
void FixedRow::leave_steady(std::size_t row) {
  for (const Other& other : others_) fields_[other.field].steady = kNotSteady;
  steady_.clear();
  for (Field& field : fields_) {
    if (field.steady == kNotSteady) continue;
    if (row == next_) {
      steady_.push_back(field.column);
    } else {  // rows before this one have nothing
      field.column->add(row, field.steady, field.slots[next_]);
      field.steady = kNotSteady;
    }
  }
}

}  // namespace logflume
