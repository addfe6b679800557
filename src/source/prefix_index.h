// Finds contents by their first bytes.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "source/file_identity.h"

namespace logflume {

// `Value` is a cheap handle with ==. Prefixes may cover different numbers of bytes: a file that was short
// when it was read has a short one. Threads: one.
template <typename Value>
class PrefixIndex {
 public:
  // A prefix of no bytes tells nothing and is not kept.
  void add(const Prefix& prefix, const Value& value) {
    if (prefix.bytes == 0) return;
    by_hash_.emplace(prefix.hash, Entry{prefix.bytes, value});
    ++lengths_[prefix.bytes];
  }

  void remove(const Prefix& prefix, const Value& value) {
    if (prefix.bytes == 0) return;
    for (auto [it, end] = by_hash_.equal_range(prefix.hash); it != end; ++it) {
      if (it->second.bytes != prefix.bytes || !(it->second.value == value)) continue;
      by_hash_.erase(it);
      const auto length = lengths_.find(prefix.bytes);
      if (--length->second == 0) lengths_.erase(length);
      return;
    }
  }

  // All whose prefix `head` begins with, those with the longest prefix first.
  std::vector<Value> find(std::string_view head) const {
    std::vector<Value> found;
    for (auto it = lengths_.rbegin(); it != lengths_.rend(); ++it) {
      if (it->first > head.size()) continue;
      for (auto [entry, end] = by_hash_.equal_range(hash_bytes(head.substr(0, it->first))); entry != end;
           ++entry) {
        if (entry->second.bytes == it->first) found.push_back(entry->second.value);
      }
    }
    return found;
  }

  bool empty() const { return by_hash_.empty(); }

 private:
  struct Entry {
    std::uint32_t bytes;
    Value value;
  };
  std::unordered_multimap<std::uint64_t, Entry> by_hash_;
  std::map<std::uint32_t, std::size_t> lengths_;
};

}  // namespace logflume
