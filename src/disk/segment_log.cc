#include "disk/segment_log.h"

#include <sys/random.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>

namespace logflume {
namespace {

constexpr std::size_t kCopiedPieceMax = 8 * 1024;
constexpr std::size_t kCopiedMax = 256 * 1024;
constexpr std::size_t kRecoveryMemory = 256 * 1024;
constexpr std::uint64_t kAsideBytesMax = 16 * 1024 * 1024;
constexpr std::size_t kAsideFilesMax = 256;

std::uint32_t random_salt() {
  std::uint32_t salt = 0;
  // It does not fail for so few bytes once the machine is up; 0 would still be a salt.
  (void)!::getrandom(&salt, sizeof salt, GRND_NONBLOCK);
  return salt;
}

// Bytes [begin, end) as they are. After a sync that failed the kernel may hold pages for clean that never
// reached the disk, so that the next sync is a success and makes nothing durable: these must be dirty again.
Result<void> rewrite(DiskFile& file, std::uint64_t begin, std::uint64_t end, std::span<char> memory) {
  while (begin < end) {
    const auto got = file.read(begin, memory.subspan(0, std::min<std::uint64_t>(memory.size(), end - begin)));
    if (!got) return got.error();
    if (*got == 0) return Error{Errc::kIo, EIO, "a segment became shorter while it was opened"};
    iovec piece{memory.data(), *got};
    if (auto written = write_all(file, begin, {&piece, 1}); !written) return written;
    begin += *got;
  }
  return {};
}

std::uint64_t aligned(std::uint64_t bytes) {
  return (bytes + kRecordAlign - 1) / kRecordAlign * kRecordAlign;
}

}  // namespace

Result<std::unique_ptr<SegmentLog>> SegmentLog::open(Disk& disk, std::string directory,
                                                     const SegmentLogOptions& options,
                                                     std::uint64_t synced_to) {
  std::unique_ptr<SegmentLog> log(new SegmentLog(disk, std::move(directory), options));
  if (auto recovered = log->recover(synced_to); !recovered) return std::move(recovered).error();
  return log;
}

Result<void> SegmentLog::recover(std::uint64_t synced_to) {
  auto segments = list_segments(disk_, directory_);
  if (!segments) return std::move(segments).error();
  std::uint64_t end = std::max(options_.position_min, synced_to);
  for (const Segment& segment : *segments) end = std::max(end, segment.end());
  end = aligned(end);

  // Where nothing is left of the last one, it hid what a failed sync had left of the one before it.
  for (bool settled = false; !settled && !segments->empty();) {
    Segment& last = segments->back();
    SegmentReader reader(disk_, directory_, std::max(last.first, std::min(synced_to, last.end())));
    std::string memory(kRecoveryMemory, '\0');
    LogChunk chunk;
    std::uint64_t whole_to = reader.position();
    // The first thing that is no record ends it: what is behind was no more durable than that.
    do {
      if (auto read = reader.read(memory, chunk); !read) return read;
      if (chunk.bytes_wanted != 0) memory.resize(chunk.bytes_wanted);
      std::uint64_t damaged_from = UINT64_MAX;
      for (const LogDamage& damage : chunk.damages) {
        if (damage.begin != damage.end) damaged_from = std::min(damaged_from, damage.begin);
      }
      for (const LogRecord& record : chunk.records) {
        if (record.end <= damaged_from) whole_to = record.end;
      }
      if (damaged_from != UINT64_MAX) break;
    } while (!chunk.at_end);
    if (whole_to == last.first) {
      if (auto removed = disk_.remove(segment_path(directory_, last.first)); !removed) return removed;
      // It must not come back when what is behind its end is durable.
      if (auto synced = disk_.sync_directory(directory_); !synced) return synced;
      segments->pop_back();
      continue;
    }
    settled = true;
    auto file = disk_.open(segment_path(directory_, last.first), DiskOpen::kWrite);
    if (!file) return std::move(file).error();
    // Durable before anything is made of it, and what was cut must not come back: now, or before a kill.
    if (whole_to < last.end()) {
      if (auto cut = (*file)->truncate(last.offset_of(whole_to)); !cut) return cut;
    }
    const std::uint64_t from = synced_to <= last.first ? 0 : last.offset_of(std::min(synced_to, whole_to));
    if (auto rewritten = rewrite(**file, from, last.offset_of(whole_to), memory); !rewritten)
      return rewritten;
    if (auto synced = (*file)->sync(); !synced) return synced;
    if (auto synced = disk_.sync_directory(directory_); !synced) return synced;
    last.file_bytes = last.offset_of(whole_to);
  }
  segments_.assign(segments->begin(), segments->end());
  end_ = synced_end_ = end;
  return {};
}

std::uint64_t SegmentLog::begin() const {
  const std::lock_guard lock(mutex_);
  return segments_.empty() ? end_ : segments_.front().first;
}

std::uint64_t SegmentLog::end() const {
  const std::lock_guard lock(mutex_);
  return end_;
}

std::uint64_t SegmentLog::synced_end() const {
  const std::lock_guard lock(mutex_);
  return synced_end_;
}

std::uint64_t SegmentLog::size_bytes() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const Segment& segment : segments_) sum += segment.file_bytes;
  return sum;
}

std::uint64_t SegmentLog::segments() const {
  const std::lock_guard lock(mutex_);
  return segments_.size();
}

std::optional<std::uint64_t> SegmentLog::oldest_end() const {
  const std::lock_guard lock(mutex_);
  return oldest_end_locked();
}

std::optional<std::uint64_t> SegmentLog::oldest_end_locked() const {
  if (segments_.empty() || (segments_.size() == 1 && writing_)) return std::nullopt;
  const std::uint64_t next = segments_.size() > 1 ? segments_[1].first : UINT64_MAX;
  return std::min(segments_.front().end(), next);
}

Result<void> SegmentLog::append(std::span<const Record> records) {
  assert(!failed_);
  // As many at once as go to one segment.
  while (!records.empty()) {
    if (file_ && active_.file_bytes >= options_.segment_bytes) {
      if (auto synced = sync(); !synced) return synced;
      close_segment();
    }
    if (!file_) {
      if (auto created = create_segment(); !created) {
        failed_ = true;
        return created;
      }
    }
    std::uint64_t bytes = 0;
    std::size_t count = 0;
    while (count < records.size() && active_.file_bytes + bytes < options_.segment_bytes) {
      std::uint64_t payload = 0;
      for (const iovec& piece : records[count++].payload) payload += piece.iov_len;
      bytes += record_bytes(payload);
    }
    if (auto written = write(records.subspan(0, count), bytes); !written) {
      failed_ = true;
      return written;
    }
    records = records.subspan(count);
  }
  return {};
}

Result<void> SegmentLog::create_segment() {
  if (auto made = make_directories(disk_, directory_); !made) return made;
  const std::string path = segment_path(directory_, end_);
  auto file = disk_.open(path, DiskOpen::kCreate);
  if (!file && file.error().code == Errc::kBusy) {
    // An attempt that failed left it: nothing in it was ever synced.
    if (auto removed = disk_.remove(path); !removed) return removed;
    file = disk_.open(path, DiskOpen::kCreate);
  }
  if (!file) return std::move(file).error();
  salt_ = random_salt();
  const auto header = SegmentHeader{kSegmentVersion, salt_, end_}.encode();
  iovec piece{const_cast<char*>(header.data()), header.size()};
  if (auto written = write_all(**file, 0, {&piece, 1}); !written) {
    (void)disk_.remove(path);  // empty, and in nobody's way
    return written;
  }
  file_ = std::move(*file);
  name_synced_ = false;
  active_ = {end_, kSegmentHeaderBytes};
  const std::lock_guard lock(mutex_);
  writing_ = true;
  if (!segments_.empty() && segments_.back().first == end_)
    segments_.pop_back();  // could not be removed then
  segments_.push_back(active_);
  return {};
}

void SegmentLog::close_segment() {
  file_.reset();
  const std::lock_guard lock(mutex_);
  writing_ = false;
}

// `bytes`: what they take together.
Result<void> SegmentLog::write(std::span<const Record> records, std::uint64_t bytes) {
  static constexpr char kPadding[kRecordAlign] = {};
  file_offset_ = active_.file_bytes;
  pieces_.clear();
  copied_.clear();
  std::uint64_t position = end_;
  for (const Record& record : records) {
    std::uint64_t payload = 0;
    for (const iovec& piece : record.payload) payload += piece.iov_len;
    assert(payload <= kRecordPayloadMax);
    RecordHeader header;
    header.items = record.items;
    header.position = position;
    header.payload_bytes = static_cast<std::uint32_t>(payload);
    header.salt = salt_;
    header.payload_crc = crc32c_of(record.payload);
    const RecordHeader::Bytes encoded = header.encode();
    if (auto put_it = put({encoded.data(), encoded.size()}); !put_it) return put_it;
    for (const iovec& piece : record.payload) {
      if (auto put_it = put({static_cast<const char*>(piece.iov_base), piece.iov_len}); !put_it)
        return put_it;
    }
    const std::uint64_t padding = record_bytes(payload) - kRecordHeaderBytes - payload;
    if (auto put_it = put({kPadding, padding}); !put_it) return put_it;
    position = header.end();
  }
  if (auto flushed = flush(); !flushed) return flushed;
  active_.file_bytes += bytes;
  const std::lock_guard lock(mutex_);
  segments_.back() = active_;
  end_ = position;
  return {};
}

Result<void> SegmentLog::put(std::string_view piece) {
  if (piece.empty()) return {};
  if (piece.size() > kCopiedPieceMax) {
    pieces_.push_back({const_cast<char*>(piece.data()), piece.size()});
    return {};
  }
  copied_.reserve(kCopiedMax);
  if (copied_.size() + piece.size() > kCopiedMax) {
    if (auto flushed = flush(); !flushed) return flushed;
  }
  char* const at = copied_.data() + copied_.size();
  copied_.append(piece);
  if (!pieces_.empty() && static_cast<char*>(pieces_.back().iov_base) + pieces_.back().iov_len == at) {
    pieces_.back().iov_len += piece.size();
  } else {
    pieces_.push_back({at, piece.size()});
  }
  return {};
}

Result<void> SegmentLog::flush() {
  std::uint64_t bytes = 0;
  for (const iovec& piece : pieces_) bytes += piece.iov_len;
  if (auto written = write_all(*file_, file_offset_, pieces_); !written) return written;
  file_offset_ += bytes;
  pieces_.clear();
  copied_.clear();
  return {};
}

Result<void> SegmentLog::sync() {
  assert(!failed_);
  if (file_ && synced_end_ != end_) {
    auto synced = file_->sync();
    if (synced && !name_synced_) synced = disk_.sync_directory(directory_);
    if (!synced) {
      failed_ = true;
      return synced;
    }
    name_synced_ = true;
    const std::lock_guard lock(mutex_);
    synced_end_ = end_;
  }
  return {};
}

void SegmentLog::restart_at(std::uint64_t position) {
  assert(position >= synced_end_ && position % kRecordAlign == 0);
  if (file_) {
    // What was not synced is hidden by the next segment's beginning: only space is at stake.
    bool removed = false;
    if (synced_end_ <= active_.first) {
      removed = disk_.remove(segment_path(directory_, active_.first)).has_value();
    } else if (failed_ || end_ != synced_end_) {
      const std::uint64_t kept = active_.offset_of(synced_end_);
      if (file_->truncate(kept)) active_.file_bytes = kept;
    }
    close_segment();
    const std::lock_guard lock(mutex_);
    segments_.pop_back();
    if (!removed) segments_.push_back(active_);
  }
  failed_ = false;
  const std::lock_guard lock(mutex_);
  end_ = synced_end_ = position;
}

Result<void> SegmentLog::drop_before(std::uint64_t position) {
  for (;;) {
    std::uint64_t first = 0;
    {
      const std::lock_guard lock(mutex_);
      const auto end = oldest_end_locked();
      if (!end || *end > position) return {};
      first = segments_.front().first;
    }
    if (auto removed = disk_.remove(segment_path(directory_, first)); !removed) return removed;
    const std::lock_guard lock(mutex_);
    segments_.pop_front();
  }
}

std::string aside_path(const std::string& directory, const LogDamage& damage) {
  return directory + "/damaged/" + std::to_string(damage.begin) + "-" + std::to_string(damage.end);
}

Result<bool> keep_aside(Disk& disk, const std::string& directory, const LogDamage& damage) {
  if (damage.begin == damage.end) return false;
  const std::string aside = directory + "/damaged";
  if (auto made = make_directories(disk, aside); !made) return std::move(made).error();
  const std::string path = aside_path(directory, damage);
  const auto kept = disk.list(aside);
  if (!kept) return kept.error();
  std::uint64_t kept_bytes = damage.end - damage.begin;
  for (const DiskEntry& entry : *kept) {
    if (aside + "/" + entry.name == path) return true;  // from an earlier look at it
    const auto status = disk.status(aside + "/" + entry.name);
    if (status) kept_bytes += status->size_bytes;
  }
  if (kept->size() >= kAsideFilesMax || kept_bytes > kAsideBytesMax) return false;
  auto from = disk.open(segment_path(directory, damage.segment), DiskOpen::kRead);
  if (!from) return std::move(from).error();
  std::string bytes(damage.end - damage.begin, '\0');
  const auto got = (*from)->read(Segment{damage.segment, 0}.offset_of(damage.begin), bytes);
  if (!got) return got.error();
  auto to = disk.open(path, DiskOpen::kCreate);
  if (!to) return std::move(to).error();
  iovec piece{bytes.data(), *got};
  if (auto written = write_all(**to, 0, {&piece, 1}); !written) {
    (void)disk.remove(path);
    return std::move(written).error();
  }
  return true;
}

}  // namespace logflume
