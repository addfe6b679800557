// The bytes of a segment: its header, and records with checksums (docs/formats/buffer.md). No I/O here.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace logflume {

constexpr std::size_t kSegmentHeaderBytes = 32;
constexpr std::size_t kRecordHeaderBytes = 32;
constexpr std::size_t kRecordAlign = 8;
constexpr std::uint32_t kSegmentVersion = 1;
// A longer one is damage.
constexpr std::uint64_t kRecordPayloadMax = std::uint64_t{1} << 30;

// What a record with such a payload takes of its log, padding included.
constexpr std::uint64_t record_bytes(std::uint64_t payload_bytes) {
  return (kRecordHeaderBytes + payload_bytes + kRecordAlign - 1) / kRecordAlign * kRecordAlign;
}

struct SegmentHeader {
  std::uint32_t version = kSegmentVersion;
  std::uint32_t salt = 0;
  std::uint64_t first = 0;  // the position of its first record

  using Bytes = std::array<char, kSegmentHeaderBytes>;
  Bytes encode() const;
  // nullopt: damaged. Of another version all but `version` may mean something else.
  // REQUIRES: bytes.size() >= kSegmentHeaderBytes.
  static std::optional<SegmentHeader> decode(std::string_view bytes);
};

struct RecordHeader {
  bool filler = false;  // stands where a damaged record stood
  std::uint32_t items = 0;
  std::uint64_t position = 0;
  std::uint32_t payload_bytes = 0;
  // The same in all records of a segment and not to be guessed: a payload cannot hold what looks like one.
  std::uint32_t salt = 0;
  std::uint32_t payload_crc = 0;

  std::uint64_t end() const { return position + record_bytes(payload_bytes); }

  using Bytes = std::array<char, kRecordHeaderBytes>;
  Bytes encode() const;
  // nullopt: this is no record's header.
  // REQUIRES: bytes.size() >= kRecordHeaderBytes.
  static std::optional<RecordHeader> decode(std::string_view bytes);
};

std::uint32_t crc32c_of(std::span<const iovec> pieces);

}  // namespace logflume
