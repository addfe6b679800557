// Writes MaxMind DB files for tests, by the letter of the format's specification (version 2.0).
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ip_address.h"

namespace logflume {

// Values as the data section has them.
struct Mmdb {
  enum Type { kDouble = 3, kBytes = 4, kUint16 = 5, kUint32 = 6, kInt32 = 8, kUint64 = 9, kUint128 = 10 };
  using Members = std::vector<std::pair<std::string, std::string>>;

  static std::string head(unsigned type, std::size_t size) {
    std::string out;
    const auto byte = [&](std::size_t value) { out += static_cast<char>(value); };
    const std::size_t in_head = size < 29 ? size : size < 285 ? 29 : 30;
    byte((type > 7 ? 0 : type) << 5 | in_head);
    if (type > 7) byte(type - 7);
    if (in_head == 29) byte(size - 29);
    if (in_head == 30) {
      byte((size - 285) >> 8);
      byte(size - 285);
    }
    return out;
  }
  static std::string text(std::string_view value) { return head(2, value.size()) + std::string(value); }
  static std::string map(const Members& members) {
    std::string out = head(7, members.size());
    for (const auto& [name, value] : members) out += text(name) + value;
    return out;
  }
  static std::string array(const std::vector<std::string>& items) {
    std::string out = head(11, items.size());
    for (const std::string& item : items) out += item;
    return out;
  }
  static std::string big_endian(std::uint64_t value, std::size_t bytes) {
    std::string out;
    while (bytes-- > 0) out += static_cast<char>(bytes < sizeof value ? value >> bytes * 8 : 0);
    return out;
  }
  static std::string integer(Type type, std::uint64_t value, std::size_t bytes) {
    return head(type, bytes) + big_endian(value, bytes);
  }
  static std::string real(double value) {
    return head(kDouble, 8) + big_endian(std::bit_cast<std::uint64_t>(value), 8);
  }
  static std::string real(float value) {
    return head(15, 4) + big_endian(std::bit_cast<std::uint32_t>(value), 4);
  }
  static std::string boolean(bool value) { return head(14, value ? 1 : 0); }
  static std::string pointer(std::size_t to) { return "\x38" + big_endian(to, 4); }
};

class MmdbWriter {
 public:
  MmdbWriter(unsigned ip_version, unsigned record_bits) : ip_version_(ip_version), record_bits_(record_bits) {
    add_node(kEmpty);
  }
  // Whatever was known of the network before is forgotten. An IPv4 network stands in a tree of IPv6 as
  // ::a.b.c.d.
  void insert(std::string_view network, unsigned bits, const std::string& record) {
    const IpAddress address = *parse_ip_address(network);
    std::vector<unsigned> way;
    if (ip_version_ == 6 && address.count == 4) {
      way.assign(96, 0);
      bits += 96;
    }
    for (std::size_t i = 0; i < address.count * 8; ++i)
      way.push_back(address.bytes[i / 8] >> (7 - i % 8) & 1U);
    std::int64_t node = 0;
    for (unsigned depth = 0; depth + 1 < bits; ++depth) {
      const std::int64_t below = child(node, way[depth]);
      if (below < 0) child(node, way[depth]) = add_node(below);
      node = child(node, way[depth]);
    }
    child(node, way[bits - 1]) = kData - static_cast<std::int64_t>(data_.size());
    data_ += record;
  }
  // Values that records point to.
  std::size_t add_shared(const std::string& value) {
    data_ += value;
    return data_.size() - value.size();
  }
  std::string file(const std::string& type = "Test", std::uint64_t built = 1767323045) const {
    std::string out;
    for (const auto& node : nodes_) {
      const std::uint64_t left = record(node[0]), right = record(node[1]);
      if (record_bits_ == 28) {
        out += Mmdb::big_endian(left & 0xFFFFFF, 3);
        out += static_cast<char>((left >> 24) << 4 | right >> 24);
        out += Mmdb::big_endian(right & 0xFFFFFF, 3);
      } else {
        out += Mmdb::big_endian(left, record_bits_ / 8) + Mmdb::big_endian(right, record_bits_ / 8);
      }
    }
    out += std::string(16, '\0') + data_ + "\xAB\xCD\xEFMaxMind.com";
    return out + Mmdb::map({{"node_count", Mmdb::integer(Mmdb::kUint32, nodes_.size(), 4)},
                            {"record_size", Mmdb::integer(Mmdb::kUint16, record_bits_, 2)},
                            {"ip_version", Mmdb::integer(Mmdb::kUint16, ip_version_, 2)},
                            {"database_type", Mmdb::text(type)},
                            {"languages", Mmdb::array({Mmdb::text("en")})},
                            {"binary_format_major_version", Mmdb::integer(Mmdb::kUint16, 2, 2)},
                            {"binary_format_minor_version", Mmdb::integer(Mmdb::kUint16, 0, 2)},
                            {"build_epoch", Mmdb::integer(Mmdb::kUint64, built, 8)},
                            {"description", Mmdb::map({{"en", Mmdb::text("a test")}})}});
  }

 private:
  static constexpr std::int64_t kEmpty = -1;
  static constexpr std::int64_t kData = -2;  // and below: the record at byte kData - value

  std::int64_t add_node(std::int64_t both) {
    nodes_.push_back({both, both});
    return static_cast<std::int64_t>(nodes_.size()) - 1;
  }
  std::int64_t& child(std::int64_t node, unsigned side) {
    return nodes_[static_cast<std::size_t>(node)][side];
  }
  std::uint64_t record(std::int64_t value) const {
    if (value >= 0) return static_cast<std::uint64_t>(value);
    if (value == kEmpty) return nodes_.size();
    return nodes_.size() + 16 + static_cast<std::uint64_t>(kData - value);
  }

  const unsigned ip_version_;
  const unsigned record_bits_;
  std::vector<std::array<std::int64_t, 2>> nodes_;
  std::string data_;
};

}  // namespace logflume
