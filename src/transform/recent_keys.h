// What is known of keys, of those that were used last.
#pragma once

#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace logflume {

// A table of keys with an entry each; when there are too many, the one that was not used for the longest time
// goes. Keys are known by their hashes of 128 bits alone: equal ones are taken for the same key.
//
// Threads: one at a time.
template <typename Entry>
class RecentKeys {
 public:
  using Key = XXH128_hash_t;

  // REQUIRES: 1 <= keys_max < 2^31.
  explicit RecentKeys(std::size_t keys_max) : keys_max_(keys_max), heads_(kHeadsMin, kNone) {}

  // The key's entry, a new one where it has none. It stays until the next call.
  Entry& use(const Key& key) {
    for (std::uint32_t at = heads_[place_of(key)]; at != kNone; at = nodes_[at].next) {
      if (XXH128_isEqual(nodes_[at].key, key) == 0) continue;
      if (at != newest_) {
        take_out(at);
        put_newest(at);
      }
      return nodes_[at].entry;
    }
    std::uint32_t at = oldest_;
    if (nodes_.size() < keys_max_) {
      if (nodes_.size() == heads_.size()) grow();
      at = static_cast<std::uint32_t>(nodes_.size());
      nodes_.emplace_back();
    } else {
      forget(at);
      take_out(at);
    }
    Node& node = nodes_[at];
    node.key = key;
    node.entry = {};
    std::uint32_t& head = heads_[place_of(key)];
    node.next = head;
    head = at;
    put_newest(at);
    return node.entry;
  }
  std::size_t size() const { return nodes_.size(); }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  static constexpr std::size_t kHeadsMin = 64;

  struct Node {
    Key key{};
    Entry entry{};
    std::uint32_t next = kNone;   // in the chain of its place
    std::uint32_t older = kNone;  // by their last use
    std::uint32_t newer = kNone;
  };

  std::size_t place_of(const Key& key) const { return key.low64 & (heads_.size() - 1); }
  void grow() {
    heads_.assign(heads_.size() * 2, kNone);
    for (std::uint32_t at = 0; at < nodes_.size(); ++at) {
      std::uint32_t& head = heads_[place_of(nodes_[at].key)];
      nodes_[at].next = head;
      head = at;
    }
  }
  // Out of the chain of its place.
  void forget(std::uint32_t at) {
    std::uint32_t* link = &heads_[place_of(nodes_[at].key)];
    while (*link != at) link = &nodes_[*link].next;
    *link = nodes_[at].next;
  }
  // Out of the order of use.
  void take_out(std::uint32_t at) {
    const Node& node = nodes_[at];
    (node.older == kNone ? oldest_ : nodes_[node.older].newer) = node.newer;
    (node.newer == kNone ? newest_ : nodes_[node.newer].older) = node.older;
  }
  void put_newest(std::uint32_t at) {
    nodes_[at].older = newest_;
    nodes_[at].newer = kNone;
    (newest_ == kNone ? oldest_ : nodes_[newest_].newer) = at;
    newest_ = at;
  }

  const std::size_t keys_max_;
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> heads_;  // of the chains: a power of two
  std::uint32_t newest_ = kNone;
  std::uint32_t oldest_ = kNone;
};

// What a transform that goes by what came before may keep in mind.
constexpr std::uint64_t kKeysDefault = 10'000;
constexpr std::uint64_t kKeysMost = 1'000'000;

}  // namespace logflume
