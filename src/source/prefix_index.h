// Finds contents by their first bytes.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
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
    if (by_prefix_[prefix].insert(value).second) ++lengths_[prefix.bytes];
  }

  void remove(const Prefix& prefix, const Value& value) {
    const auto alike = by_prefix_.find(prefix);
    if (alike == by_prefix_.end() || alike->second.erase(value) == 0) return;
    if (alike->second.empty()) by_prefix_.erase(alike);
    const auto length = lengths_.find(prefix.bytes);
    if (--length->second == 0) lengths_.erase(length);
  }

  // Those whose prefix `head` begins with, those with the longest prefix first; at most kFoundMax.
  std::vector<Value> find(std::string_view head) const {
    std::vector<Value> found;
    for (auto length = lengths_.rbegin(); length != lengths_.rend(); ++length) {
      if (length->first > head.size()) continue;
      const auto alike = by_prefix_.find(Prefix{length->first, hash_bytes(head.substr(0, length->first))});
      if (alike == by_prefix_.end()) continue;
      for (const Value& value : alike->second) {
        found.push_back(value);
        if (found.size() == kFoundMax) return found;
      }
    }
    return found;
  }

  bool empty() const { return by_prefix_.empty(); }

 private:
  struct Hash {
    std::size_t operator()(const Prefix& prefix) const { return prefix.hash; }
  };
  std::unordered_map<Prefix, std::unordered_set<Value>, Hash> by_prefix_;
  std::map<std::uint32_t, std::size_t> lengths_;  // how many prefixes there are of each length
};

}  // namespace logflume
