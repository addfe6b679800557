// Finds contents by their first bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "source/file_identity.h"

namespace logflume {

// `Value` is a pointer. Prefixes may cover different numbers of bytes: a file that was short when it was read
// has a short one. Threads: one.
template <typename Value>
class PrefixIndex {
 public:
  // Thousands of files may begin alike (a service's first line): comparing each with all others would take
  // for ever, so find() gives no more than this many. Who is not among them is not recognised as a copy,
  // which costs a repetition, not a loss.
  static constexpr std::size_t kFoundMax = 64;

  // A prefix of no bytes tells nothing and is not kept.
  void add(const Prefix& prefix, const Value& value) {
    if (prefix.bytes == 0) return;
    if (entries_.insert({prefix.hash, prefix.bytes, value}).second) ++lengths_[prefix.bytes];
  }

  void remove(const Prefix& prefix, const Value& value) {
    if (entries_.erase({prefix.hash, prefix.bytes, value}) == 0) return;
    const auto length = lengths_.find(prefix.bytes);
    if (--length->second == 0) lengths_.erase(length);
  }

  // Those whose prefix `head` begins with, those with the longest prefix first; at most kFoundMax.
  std::vector<Value> find(std::string_view head) const {
    std::vector<Value> found;
    for (auto length = lengths_.rbegin(); length != lengths_.rend(); ++length) {
      if (length->first > head.size()) continue;
      const std::uint64_t hash = hash_bytes(head.substr(0, length->first));
      for (auto entry = entries_.lower_bound({hash, length->first, Value{}}); entry != entries_.end();
           ++entry) {
        if (entry->hash != hash || entry->bytes != length->first) break;
        found.push_back(entry->value);
        if (found.size() == kFoundMax) return found;
      }
    }
    return found;
  }

  bool empty() const { return entries_.empty(); }

 private:
  // Ordered, which takes a quarter of the memory of sets in a hash table: there is one for each file.
  struct Entry {
    std::uint64_t hash;
    std::uint32_t bytes;
    Value value;
    bool operator<(const Entry& other) const {
      if (hash != other.hash) return hash < other.hash;
      if (bytes != other.bytes) return bytes < other.bytes;
      return std::less<>()(value, other.value);
    }
  };
  std::set<Entry> entries_;
  std::map<std::uint32_t, std::size_t> lengths_;  // how many prefixes there are of each length
};

}  // namespace logflume
