#include "generate/sequence_set.h"

#include <algorithm>

namespace logflume {

bool SequenceSet::insert(std::uint64_t number) {
  const std::uint64_t index = number / kPageNumbers;
  if (index != last_index_) {
    auto [at, added] = pages_.try_emplace(index);
    if (added) at->second = std::make_unique<Page>();
    last_index_ = index;
    last_page_ = at->second.get();
  }
  if (last_page_ == nullptr) return false;
  const std::uint64_t bit = number % kPageNumbers;
  std::uint64_t& word = last_page_->words[bit / 64];
  const std::uint64_t mask = 1ULL << (bit % 64);
  if ((word & mask) != 0) return false;
  word |= mask;
  ++size_;
  if (++last_page_->count == kPageNumbers) {
    pages_[index].reset();
    last_page_ = nullptr;
  }
  return true;
}

bool SequenceSet::contains(std::uint64_t number) const {
  const auto at = pages_.find(number / kPageNumbers);
  if (at == pages_.end()) return false;
  if (at->second == nullptr) return true;
  const std::uint64_t bit = number % kPageNumbers;
  return (at->second->words[bit / 64] >> (bit % 64) & 1) != 0;
}

std::vector<SequenceSet::Range> SequenceSet::holes(std::uint64_t last, std::size_t limit) const {
  std::vector<std::uint64_t> indices;
  indices.reserve(pages_.size());
  for (const auto& [index, page] : pages_) indices.push_back(index);
  std::sort(indices.begin(), indices.end());

  std::vector<Range> found;
  std::uint64_t next = 1;  // the lowest number not yet looked at
  const auto seen = [&](std::uint64_t number) {
    if (number > next) found.push_back({next, number - 1});
    next = number + 1;
  };
  for (const std::uint64_t index : indices) {
    const std::uint64_t begin = index * kPageNumbers;
    if (begin > last || found.size() >= limit) break;
    const Page* const page = pages_.at(index).get();
    if (page == nullptr) {
      seen(std::max(begin, next));
      next = begin + kPageNumbers;
      continue;
    }
    const std::uint64_t end = std::min(last, begin + kPageNumbers - 1);
    for (std::uint64_t number = std::max(begin, next); number <= end && found.size() < limit; ++number) {
      const std::uint64_t bit = number % kPageNumbers;
      if ((page->words[bit / 64] >> (bit % 64) & 1) != 0) seen(number);
    }
  }
  if (next <= last && found.size() < limit) found.push_back({next, last});
  return found;
}

}  // namespace logflume
