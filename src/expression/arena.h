// Memory of an evaluation: taken in pieces, given back all at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "expression/value.h"

namespace logflume {

// Threads: one. What it gives stays where it is until reset() or give_back(); blocks are kept for reuse.
class Arena {
 public:
  // What one evaluation may make: it is the user's expression, but the events' text.
  static constexpr std::size_t kBytesMax = std::size_t{64} * 1024 * 1024;

  // Null when it would be more than kBytesMax. Aligned to 16 bytes.
  char* allocate(std::size_t bytes) {
    bytes = (bytes + 15) & ~std::size_t{15};
    while (block_ < blocks_.size()) {
      if (blocks_[block_].bytes - used_ >= bytes) {
        char* const begin = blocks_[block_].memory.get() + used_;
        used_ += bytes;
        return begin;
      }
      ++block_;
      used_ = 0;
    }
    const std::size_t size = std::max(bytes, kBlockBytes);
    if (bytes > kBytesMax || total_ + size > kBytesMax) return nullptr;
    blocks_.push_back({std::unique_ptr<char[]>(new char[size]), size});
    total_ += size;
    block_ = blocks_.size() - 1;
    used_ = bytes;
    return blocks_.back().memory.get();
  }
  template <typename T>
  T* array(std::size_t count) {
    return reinterpret_cast<T*>(allocate(count * sizeof(T)));
  }

  // A copy as a value of `tag`, or kTooLarge.
  Value keep(std::string_view text, Value::Tag tag) {
    char* const copy = allocate(text.size());
    if (copy == nullptr) return Value::of(ExprFault::kTooLarge);
    if (!text.empty()) std::memcpy(copy, text.data(), text.size());
    return Value::of(std::string_view(copy, text.size()), tag);
  }
  Value list(std::span<const Value> items) {
    auto* const copy = array<Value>(items.size());
    if (copy == nullptr) return Value::of(ExprFault::kTooLarge);
    std::copy(items.begin(), items.end(), copy);
    return Value::list(copy, items.size());
  }

  struct Mark {
    std::size_t block;
    std::size_t used;
  };
  Mark mark() const { return {block_, used_}; }
  // What was given since `mark`.
  void give_back(Mark mark) {
    block_ = mark.block;
    used_ = mark.used;
  }
  // All of it. What an unusual batch needed goes back to the system.
  void reset() {
    if (total_ > kKeptBytes) {
      blocks_.clear();
      total_ = 0;
    }
    block_ = used_ = 0;
  }

 private:
  static constexpr std::size_t kBlockBytes = std::size_t{64} * 1024;
  static constexpr std::size_t kKeptBytes = std::size_t{1024} * 1024;

  struct Block {
    std::unique_ptr<char[]> memory;
    std::size_t bytes;
  };
  std::vector<Block> blocks_;
  std::size_t block_ = 0;  // that is being used
  std::size_t used_ = 0;   // of it
  std::size_t total_ = 0;
};

}  // namespace logflume
