#include "buffer/buffered_batch.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace logflume {
namespace {

constexpr std::size_t kFixedBytes = 56;
constexpr std::uint8_t kVersion = 1;
enum Flag : std::uint8_t { kUnterminated = 1, kTruncated = 2, kStripCr = 4 };

static_assert(std::endian::native == std::endian::little, "numbers are stored as they are in memory");

template <typename T>
void put(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof bytes);
}

template <typename T>
T get(const char*& at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  at += sizeof value;
  return value;
}

}  // namespace

std::uint64_t encoded_bytes(const Batch& batch) {
  return kFixedBytes + batch.seam.size() + batch.origin->source.size() + batch.origin->path.size() +
         batch.event_ends.size() * sizeof(std::uint32_t) + batch.bytes;
}

void encode(const Batch& batch, std::string& head, std::vector<iovec>& pieces) {
  const Origin& origin = *batch.origin;
  head.clear();
  put(head, kVersion);
  put(head, static_cast<std::uint8_t>((batch.unterminated ? kUnterminated : 0) |
                                      (batch.truncated ? kTruncated : 0) | (batch.strip_cr ? kStripCr : 0)));
  put(head, std::uint16_t{batch.seam.size()});
  put(head, static_cast<std::uint32_t>(origin.source.size()));
  put(head, static_cast<std::uint32_t>(origin.path.size()));
  put(head, static_cast<std::uint32_t>(batch.event_ends.size()));
  put(head, origin.file_id);
  put(head, batch.owed.begin);
  put(head, batch.owed.end);
  put(head, batch.wall_ns);
  put(head, std::uint64_t{batch.bytes});
  head.append(batch.seam.view()).append(origin.source).append(origin.path);
  pieces.push_back({head.data(), head.size()});
  if (!batch.event_ends.empty()) {
    pieces.push_back({const_cast<std::uint32_t*>(batch.event_ends.data()),
                      batch.event_ends.size() * sizeof(std::uint32_t)});
  }
  if (batch.bytes != 0) pieces.push_back({const_cast<char*>(batch.data), batch.bytes});
}

FileRange BufferedBatch::text_range() const {
  const std::uint64_t bytes = std::min<std::uint64_t>(text.size(), owed.bytes());
  return truncated ? FileRange{owed.begin, owed.begin + bytes} : FileRange{owed.end - bytes, owed.end};
}

std::optional<BufferedBatch> BufferedBatch::decode(std::string_view payload, std::uint32_t events) {
  if (payload.size() < kFixedBytes) return std::nullopt;
  const char* at = payload.data();
  if (get<std::uint8_t>(at) != kVersion) return std::nullopt;
  const auto flags = get<std::uint8_t>(at);
  const auto seam_bytes = get<std::uint16_t>(at);
  const std::uint64_t source_bytes = get<std::uint32_t>(at);
  const std::uint64_t path_bytes = get<std::uint32_t>(at);
  const std::uint64_t ends = get<std::uint32_t>(at);
  BufferedBatch batch;
  batch.file_id = get<std::uint64_t>(at);
  batch.owed.begin = get<std::uint64_t>(at);
  batch.owed.end = get<std::uint64_t>(at);
  batch.wall_ns = get<std::int64_t>(at);
  const auto text_bytes = get<std::uint64_t>(at);
  if (seam_bytes > Seam::kBytesMax || text_bytes > payload.size() || batch.owed.end < batch.owed.begin ||
      (ends != 0 && ends != events) ||
      kFixedBytes + seam_bytes + source_bytes + path_bytes + 4 * ends + text_bytes != payload.size()) {
    return std::nullopt;
  }
  batch.unterminated = (flags & kUnterminated) != 0;
  batch.truncated = (flags & kTruncated) != 0;
  batch.strip_cr = (flags & kStripCr) != 0;
  batch.seam = Seam(std::string_view(at, seam_bytes));
  at += seam_bytes;
  batch.source = {at, source_bytes};
  at += source_bytes;
  batch.path = {at, path_bytes};
  at += path_bytes;
  batch.event_ends.resize(ends);
  if (ends != 0) std::memcpy(batch.event_ends.data(), at, 4 * ends);
  at += 4 * ends;
  batch.text = {at, text_bytes};
  // Sinks index the text by them.
  std::uint64_t last = 0;
  for (const std::uint32_t end : batch.event_ends) {
    if (end < last || end > text_bytes) return std::nullopt;
    last = end;
  }
  return batch;
}

}  // namespace logflume
