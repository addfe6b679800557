#include "disk/segment_reader.h"

#include <algorithm>
#include <cassert>

#include "base/crc32c.h"

namespace logflume {

void LogChunk::clear() {
  records.clear();
  damages.clear();
  gaps.clear();
  at_end = torn = false;
  bytes_wanted = 0;
}

void SegmentReader::seek(std::uint64_t position) {
  position_ = position;
  file_.reset();
  damaged_from_.reset();
}

Result<void> SegmentReader::open(const Segment& segment, LogChunk& chunk) {
  auto file = disk_.open(segment_path(directory_, segment.first), DiskOpen::kRead);
  if (!file) return std::move(file).error();
  char bytes[kSegmentHeaderBytes];
  const auto got = (*file)->read(0, bytes);
  if (!got) return got.error();
  salt_.reset();
  if (*got == kSegmentHeaderBytes) {
    const auto header = SegmentHeader::decode({bytes, sizeof bytes});
    if (header && header->version != kSegmentVersion) {
      return Error{Errc::kUnsupported, 0,
                   segment_path(directory_, segment.first) + " has format version " +
                       std::to_string(header->version) + ", and this logflume knows version " +
                       std::to_string(kSegmentVersion) + ": a newer logflume reads it"};
    }
    if (header && header->first == segment.first) {
      salt_ = header->salt;
    } else {
      chunk.damages.push_back({segment.first, segment.first, 0, segment.first});
    }
  }
  file_ = std::move(*file);
  segment_ = segment;
  return {};
}

Result<bool> SegmentReader::locate(std::uint64_t limit, LogChunk& chunk) {
  const auto segments = list_segments(disk_, directory_);
  if (!segments) return segments.error();
  auto next = std::upper_bound(segments->begin(), segments->end(), position_,
                               [](std::uint64_t position, const Segment& s) { return position < s.first; });
  // The one that may hold the position, then those behind the gap that begins there.
  if (next != segments->begin()) --next;
  for (; next != segments->end(); ++next) {
    const auto after = std::next(next);
    const bool is_last = after == segments->end();
    const std::uint64_t end = is_last ? next->end() : std::min(next->end(), after->first);
    if (end <= position_) continue;
    if (next->first >= limit) return false;
    if (!file_ || segment_.first != next->first) {
      if (auto opened = open(*next, chunk); !opened) {
        // Removed meanwhile: it is behind us for whoever writes the log.
        if (opened.error().code == Errc::kNotFound) continue;
        return opened.error();
      }
    }
    segment_ = *next;
    content_end_ = end;
    is_last_ = is_last;
    skip_to(next->first, chunk);
    return true;
  }
  return false;
}

void SegmentReader::skip_to(std::uint64_t position, LogChunk& chunk) {
  if (position <= position_) return;
  chunk.gaps.push_back({position_, position});
  position_ = position;
}

Result<void> SegmentReader::read(std::span<char> memory, LogChunk& chunk, std::uint64_t limit) {
  assert(memory.size() >= kMemoryMin);
  chunk.clear();
  const auto ends_here = [&] {
    chunk.at_end = true;
    if (limit != UINT64_MAX) skip_to(limit, chunk);
  };
  while (chunk.records.empty() && chunk.damages.empty() && chunk.gaps.empty() && !chunk.at_end &&
         chunk.bytes_wanted == 0) {
    if (damaged_from_ && position_ >= content_end_) {  // cut during the search
      chunk.damages.push_back({*damaged_from_, position_, std::nullopt, segment_.first});
      damaged_from_.reset();
      return {};
    }
    // The last segment grows; after a failed sync it is cut, too, and another one goes on from there.
    const bool may_have_changed = is_last_ && !damaged_from_;
    if (position_ < limit && (!file_ || may_have_changed || position_ >= content_end_)) {
      const auto located = locate(limit, chunk);
      if (!located) return located.error();
      if (!*located) {
        ends_here();
        return {};
      }
      // Said before anything is read: with more memory only what was not read is read again.
      if (!chunk.gaps.empty() || !chunk.damages.empty()) return {};
    }
    if (position_ >= limit) {
      chunk.at_end = true;
      return {};
    }
    const std::uint64_t region_end = std::min(content_end_, limit);
    const std::size_t want = std::min<std::uint64_t>(memory.size(), region_end - position_);
    const auto got = file_->read(segment_.offset_of(position_), memory.subspan(0, want));
    if (!got) return got.error();
    if (*got < want) content_end_ = position_ + *got;  // cut meanwhile
    if (*got != 0) {
      const bool may_be_torn = is_last_ && limit == UINT64_MAX;
      parse({memory.data(), *got}, std::min(region_end, content_end_), may_be_torn, chunk);
    } else if (is_last_ && !damaged_from_) {
      ends_here();
    }
  }
  return {};
}

// `bytes` are those at position_, of [position_, region_end).
void SegmentReader::parse(std::string_view bytes, std::uint64_t region_end, bool may_be_torn,
                          LogChunk& chunk) {
  const std::uint64_t base = position_;
  const auto damaged = [&](std::uint64_t from, std::uint64_t to, std::optional<std::uint32_t> items) {
    chunk.damages.push_back({from, to, items, segment_.first});
    position_ = to;
  };
  const auto unreadable_to_end = [&](std::uint64_t from, std::optional<std::uint32_t> items) {
    if (!may_be_torn) return damaged(from, region_end, items);
    position_ = from;
    chunk.at_end = chunk.torn = true;
  };
  while (position_ < region_end) {
    const std::string_view rest = bytes.substr(position_ - base);
    const std::uint64_t region = region_end - position_;
    if (damaged_from_) {
      const std::size_t skipped = search(rest);
      position_ += skipped;
      if (rest.size() - skipped >= kRecordHeaderBytes) {
        damaged(*damaged_from_, position_, std::nullopt);
        damaged_from_.reset();
      } else if (rest.size() == region) {
        const std::uint64_t from = *damaged_from_;
        damaged_from_.reset();
        return unreadable_to_end(from, std::nullopt);
      } else {
        return;  // the search goes on in the next piece
      }
      continue;
    }
    if (rest.size() < kRecordHeaderBytes) {
      if (rest.size() == region) return unreadable_to_end(position_, std::nullopt);
      return;
    }
    const auto header = header_at(rest, position_);
    if (!header) {
      damaged_from_ = position_;
      // A header is not looked for where none was found.
      position_ += std::min<std::uint64_t>(kRecordAlign, rest.size());
      continue;
    }
    const std::uint64_t size = header->end() - position_;
    if (size > region) return unreadable_to_end(position_, header->items);
    if (size > rest.size()) {
      if (position_ == base) chunk.bytes_wanted = size;
      return;
    }
    salt_ = header->salt;
    const std::string_view payload = rest.substr(kRecordHeaderBytes, header->payload_bytes);
    if (crc32c(payload) != header->payload_crc) {
      damaged(position_, header->end(), header->items);
      continue;
    }
    if (header->filler) {
      skip_to(header->end(), chunk);
      continue;
    }
    chunk.records.push_back({position_, header->end(), header->items, payload, segment_.first});
    position_ = header->end();
  }
}

std::optional<RecordHeader> SegmentReader::header_at(std::string_view bytes, std::uint64_t position) const {
  auto header = RecordHeader::decode(bytes);
  if (!header || header->position != position || (salt_ && header->salt != *salt_)) return std::nullopt;
  return header;
}

std::size_t SegmentReader::search(std::string_view bytes) const {
  std::size_t at = 0;
  for (; at + kRecordHeaderBytes <= bytes.size(); at += kRecordAlign) {
    if (header_at(bytes.substr(at), position_ + at)) return at;
  }
  return at;
}

}  // namespace logflume
