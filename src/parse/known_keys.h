// The keys of lines that name their fields themselves, and the columns that they go to.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parse/field_value.h"
#include "parse/parser.h"

namespace logflume {

// Lines of a log repeat each other: the key that came after the last one is tried first.
//
// Threads: one.
class KnownKeys {
 public:
  static constexpr std::uint32_t kRest = UINT32_MAX;  // no column: there are as many as may be
  struct Key {
    std::string text;  // as it stands in a line
    std::uint32_t column = 0;
    bool wanted = false;
    std::uint8_t taken = 0;  // see learn_taken()
    FieldType type = FieldType::kString;
  };

  // `wanted` stays.
  KnownKeys(const WantedFields& wanted, std::size_t fields_max) : wanted_(wanted), fields_max_(fields_max) {}
  void begin(Columns& columns) {
    columns_ = &columns;
    keys_.clear();
  }
  void begin_line() { next_ = 0; }

  // The one whose text that is, or null.
  template <typename Is>
  const Key* find(const Is& is) {
    if (next_ < keys_.size() && is(keys_[next_].text)) return &keys_[next_++];
    const auto found = std::ranges::find_if(keys_, is, &Key::text);
    if (found == keys_.end()) return nullptr;
    next_ = static_cast<std::size_t>(found - keys_.begin()) + 1;
    return &*found;
  }
  // REQUIRES: find() did not find it.
  Key& learn(std::string_view text, std::string_view name) {
    Key key;
    key.text = text;
    key.wanted = wanted_.has(name);
    if (key.wanted) {
      const bool room = columns_->has(name) || columns_->size() < fields_max_;
      key.column = room ? static_cast<std::uint32_t>(columns_->index_of(name)) : kRest;
    }
    return keep(std::move(key));
  }
  // One whose value is wanted, but is no field. `number`: from 1, what the caller knows it by.
  Key& learn_taken(std::string_view text, std::uint8_t number) {
    Key key;
    key.text = text;
    key.wanted = true;
    key.taken = number;
    return keep(std::move(key));
  }

 private:
  Key& keep(Key key) {
    if (keys_.size() >= kKeysMax) keys_.clear();
    keys_.push_back(std::move(key));
    next_ = keys_.size();
    return keys_.back();
  }

  static constexpr std::size_t kKeysMax = 1024;

  const WantedFields& wanted_;
  const std::size_t fields_max_;
  Columns* columns_ = nullptr;
  std::vector<Key> keys_;
  std::size_t next_ = 0;  // what is expected
};

}  // namespace logflume
