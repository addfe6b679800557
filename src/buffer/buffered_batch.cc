#include "buffer/buffered_batch.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "buffer/stored_view.h"

namespace logflume {
namespace {

constexpr std::size_t kFixedBytes = 56;
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kVersionWithView = 2;
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
  const std::size_t ends = batch.view ? batch.events : batch.event_ends.size();
  return kFixedBytes + batch.seam.size() + batch.origin->source.size() + batch.origin->path.size() +
         ends * sizeof(std::uint32_t) + text_bytes(batch) +
         (batch.view ? sizeof(std::uint64_t) + view_bytes(batch) : 0);
}

void encode(const Batch& batch, std::string& head, std::vector<iovec>& pieces) {
  const Origin& origin = *batch.origin;
  head.clear();
  std::string lines;
  std::vector<std::uint32_t> ends;
  if (batch.view) append_view_text(*batch.view, lines, ends);
  const std::vector<std::uint32_t>& event_ends = batch.view ? ends : batch.event_ends;
  // The lines of a view have their newlines, and no CR that is no part of them.
  const int flags = batch.view ? (batch.truncated ? kTruncated : 0)
                               : (batch.unterminated ? kUnterminated : 0) |
                                     (batch.truncated ? kTruncated : 0) | (batch.strip_cr ? kStripCr : 0);
  put(head, batch.view ? kVersionWithView : kVersion);
  put(head, static_cast<std::uint8_t>(flags));
  put(head, std::uint16_t{batch.seam.size()});
  put(head, static_cast<std::uint32_t>(origin.source.size()));
  put(head, static_cast<std::uint32_t>(origin.path.size()));
  put(head, static_cast<std::uint32_t>(event_ends.size()));
  put(head, origin.file_id);
  put(head, batch.owed.begin);
  put(head, batch.owed.end);
  put(head, batch.wall_ns);
  put(head, text_bytes(batch));
  head.append(batch.seam.view()).append(origin.source).append(origin.path);
  if (batch.view) {
    head.append(reinterpret_cast<const char*>(ends.data()), ends.size() * sizeof(std::uint32_t));
    head.append(lines);
    put(head, std::uint64_t{batch.acknowledged_bytes()});
    append_view(batch, head);
    pieces.push_back({head.data(), head.size()});
    return;
  }
  pieces.push_back({head.data(), head.size()});
  if (!batch.event_ends.empty()) {
    pieces.push_back({const_cast<std::uint32_t*>(batch.event_ends.data()),
                      batch.event_ends.size() * sizeof(std::uint32_t)});
  }
  if (batch.bytes != 0) pieces.push_back({const_cast<char*>(batch.data), batch.bytes});
}

FileRange BufferedBatch::text_range() const {
  const std::uint64_t bytes = std::min<std::uint64_t>(view.empty() ? text.size() : file_bytes, owed.bytes());
  return truncated ? FileRange{owed.begin, owed.begin + bytes} : FileRange{owed.end - bytes, owed.end};
}

std::optional<BufferedBatch> BufferedBatch::decode(std::string_view payload, std::uint32_t events) {
  if (payload.size() < kFixedBytes) return std::nullopt;
  const char* at = payload.data();
  const auto version = get<std::uint8_t>(at);
  if (version != kVersion && version != kVersionWithView) return std::nullopt;
  const bool with_view = version == kVersionWithView;
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
      (ends != 0 && ends != events) || (with_view && ends != events)) {
    return std::nullopt;
  }
  const std::uint64_t text_end = kFixedBytes + seam_bytes + source_bytes + path_bytes + 4 * ends + text_bytes;
  if (with_view ? text_end + sizeof(std::uint64_t) > payload.size() : text_end != payload.size())
    return std::nullopt;
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
  if (with_view) {
    at += text_bytes;
    batch.file_bytes = get<std::uint64_t>(at);
    batch.view = payload.substr(text_end + sizeof(std::uint64_t));
    if (batch.file_bytes > batch.owed.bytes()) return std::nullopt;
  }
  // Sinks index the text by them: one behind the other, each at a newline or the text's end.
  std::uint64_t begin = 0;
  for (const std::uint32_t end : batch.event_ends) {
    if (end < begin || end > text_bytes || (end < text_bytes && batch.text[end] != '\n')) return std::nullopt;
    begin = std::uint64_t{end} + 1;
  }
  if (ends != 0 && begin < text_bytes) return std::nullopt;
  return batch;
}

}  // namespace logflume
