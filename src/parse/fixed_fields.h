// Fields of a format that has always the same.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "parse/parser.h"

namespace logflume {

// Those that are wanted of fields whose names a format fixes, by their number.
//
// Threads: one.
template <std::size_t kCount>
class FixedFields {
 public:
  FixedFields(const std::array<std::string_view, kCount>& names, const WantedFields& wanted) : names_(names) {
    for (std::size_t i = 0; i < kCount; ++i) wanted_[i] = wanted.has(names[i]);
  }
  void begin(Columns& columns) {
    columns_ = &columns;
    for (std::size_t i = 0; i < kCount; ++i) {
      if (wanted_[i]) places_[i] = columns.index_of(names_[i]);
    }
  }
  Columns& columns() const { return *columns_; }
  bool wants(std::size_t field) const { return wanted_[field]; }
  void add(FoundFields& found, std::size_t field, ValueKind kind, Slot slot) const {
    if (wanted_[field]) found.add(places_[field], kind, slot);
  }
  void add(FoundFields& found, std::size_t field, std::string_view text) const {
    if (wanted_[field]) found.add(places_[field], ValueKind::kString, Slot::of(columns_->ref(text)));
  }
  // One that is not in the line.
  void add_made(FoundFields& found, std::size_t field, std::string_view text) const {
    TextRef ref;
    if (wanted_[field] && columns_->copy(text, ref))
      found.add(places_[field], ValueKind::kString, Slot::of(ref));
  }

 private:
  const std::array<std::string_view, kCount> names_;
  std::array<bool, kCount> wanted_{};
  std::array<std::size_t, kCount> places_{};
  Columns* columns_ = nullptr;
};

}  // namespace logflume
