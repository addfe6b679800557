// The elements of a constant list, so that `in` need not compare a value with each of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "expression/node_parts.h"
#include "expression/text_test.h"
#include "expression/value.h"

namespace logflume {

// Texts by a hash.
class TextSet {
 public:
  // They stay.
  explicit TextSet(std::vector<std::string_view> texts);
  bool has(std::string_view text) const;

 private:
  // What texts of up to 16 bytes are told apart by; longer ones are compared too.
  struct Key {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::size_t bytes = 0;
    bool operator==(const Key&) const = default;
  };
  struct Place {
    Key key;
    const char* text = nullptr;  // null: free
  };
  static Key key_of(std::string_view text);
  std::size_t place_of(const Key& key) const;

  std::vector<Place> places_;  // a power of two, half of them free
};

// Whole numbers: a bit each where they are near to each other, else by their order.
class IntSet {
 public:
  explicit IntSet(std::vector<std::int64_t> numbers);
  bool has(std::int64_t number) const;

 private:
  static constexpr std::uint64_t kBitsMax = 4096;

  std::vector<std::int64_t> numbers_;
  std::uint64_t least_ = 0;
  std::uint64_t span_ = 0;  // from the least to the greatest
  std::vector<std::uint64_t> bits_;
};

// Threads: any; it does not change.
class ConstantSet {
 public:
  // Views them: their texts and lists stay. REQUIRES: none is a fault.
  explicit ConstantSet(std::span<const Value> items);

  // What `value in items` is. REQUIRES: no fault.
  Truth has(const Value& value) const;
  // The same of a column's values. False: its values are of a kind for which there is nothing better.
  bool ask(const DenseColumn& column, const Rows& rows, Truth* out) const;

 private:
  struct Sorted {
    std::vector<std::string_view> texts;
    std::vector<std::int64_t> integers;
    std::vector<double> reals;
    std::vector<Value> others;
  };
  explicit ConstantSet(Sorted items);
  static Sorted sort(std::span<const Value> items);
  void ask_texts(const DenseColumn& column, const Rows& rows, Truth* out) const;

  std::vector<TextTest> few_texts_;  // instead of the set
  TextSet texts_;
  IntSet integers_;            // and doubles that are whole numbers
  std::vector<double> reals_;  // other doubles
  std::vector<Value> others_;
};

}  // namespace logflume
