// Which numbers of a long sequence were seen.
//
// Memory: one bit a number where the sequence has holes, next to nothing where it is complete, so that
// 100 million lines in any order take at most 12.5 MB and in order a few kilobytes. Threads: one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace logflume {

class SequenceSet {
 public:
  struct Range {
    std::uint64_t first = 0;
    std::uint64_t last = 0;  // inclusive
    bool operator==(const Range&) const = default;
  };

  // False when `number` was there already.
  bool insert(std::uint64_t number);
  bool contains(std::uint64_t number) const;
  std::uint64_t size() const { return size_; }

  // The holes within [1, last], at most `limit` of them, in order.
  std::vector<Range> holes(std::uint64_t last, std::size_t limit) const;

 private:
  static constexpr std::uint64_t kPageNumbers = 1 << 16;
  struct Page {
    std::array<std::uint64_t, kPageNumbers / 64> words{};
    std::uint32_t count = 0;
  };

  // An empty pointer stands for a full page.
  std::unordered_map<std::uint64_t, std::unique_ptr<Page>> pages_;
  std::uint64_t size_ = 0;
  // The page of the last call: numbers come mostly in order.
  std::uint64_t last_index_ = UINT64_MAX;
  Page* last_page_ = nullptr;
};

}  // namespace logflume
