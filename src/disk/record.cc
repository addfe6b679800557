#include "disk/record.h"

#include <cstring>

#include "base/crc32c.h"

namespace logflume {
namespace {

constexpr std::string_view kSegmentMagic = "LFsg";
constexpr std::string_view kRecordMagic = "LFr1";
constexpr std::string_view kFillerMagic = "LFf1";

void put(char* at, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) at[i] = static_cast<char>((value >> (8 * i)) & 0xff);
}

std::uint64_t get(const char* at, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    value |= std::uint64_t{static_cast<unsigned char>(at[i])} << (8 * i);
  }
  return value;
}
std::uint32_t get32(const char* at) { return static_cast<std::uint32_t>(get(at, 4)); }

// The last four bytes of a header are the checksum of what is before them.
void seal(char* header, std::size_t bytes) { put(header + bytes - 4, crc32c({header, bytes - 4}), 4); }
bool is_sealed(const char* header, std::size_t bytes) {
  return get32(header + bytes - 4) == crc32c({header, bytes - 4});
}

}  // namespace

SegmentHeader::Bytes SegmentHeader::encode() const {
  Bytes bytes{};
  std::memcpy(bytes.data(), kSegmentMagic.data(), kSegmentMagic.size());
  put(&bytes[4], version, 4);
  put(&bytes[8], first, 8);
  put(&bytes[16], salt, 4);
  seal(bytes.data(), bytes.size());
  return bytes;
}

std::optional<SegmentHeader> SegmentHeader::decode(std::string_view bytes) {
  if (!bytes.starts_with(kSegmentMagic) || !is_sealed(bytes.data(), kSegmentHeaderBytes)) return std::nullopt;
  SegmentHeader header;
  header.version = get32(&bytes[4]);
  header.first = get(&bytes[8], 8);
  header.salt = get32(&bytes[16]);
  return header;
}

RecordHeader::Bytes RecordHeader::encode() const {
  Bytes bytes{};
  std::memcpy(bytes.data(), (filler ? kFillerMagic : kRecordMagic).data(), kRecordMagic.size());
  put(&bytes[4], items, 4);
  put(&bytes[8], position, 8);
  put(&bytes[16], payload_bytes, 4);
  put(&bytes[20], salt, 4);
  put(&bytes[24], payload_crc, 4);
  seal(bytes.data(), bytes.size());
  return bytes;
}

std::optional<RecordHeader> RecordHeader::decode(std::string_view bytes) {
  const bool filler = bytes.starts_with(kFillerMagic);
  if (!filler && !bytes.starts_with(kRecordMagic)) return std::nullopt;
  if (!is_sealed(bytes.data(), kRecordHeaderBytes)) return std::nullopt;
  RecordHeader header;
  header.filler = filler;
  header.items = get32(&bytes[4]);
  header.position = get(&bytes[8], 8);
  header.payload_bytes = get32(&bytes[16]);
  header.salt = get32(&bytes[20]);
  header.payload_crc = get32(&bytes[24]);
  if (header.payload_bytes > kRecordPayloadMax) return std::nullopt;
  return header;
}

std::uint32_t crc32c_of(std::span<const iovec> pieces) {
  std::uint32_t crc = 0;
  for (const iovec& piece : pieces) {
    crc = crc32c({static_cast<const char*>(piece.iov_base), piece.iov_len}, crc);
  }
  return crc;
}

}  // namespace logflume
