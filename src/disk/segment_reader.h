// Reads a segmented log from a position on, whoever writes it meanwhile.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "disk/disk.h"
#include "disk/segments.h"

namespace logflume {

struct LogRecord {
  std::uint64_t position = 0;
  std::uint64_t end = 0;    // the position behind it
  std::uint32_t items = 0;  // what it holds, as its writer counted
  std::string_view payload;
  std::uint64_t segment = 0;  // the first position of the segment that holds it
};

// Positions [begin, end) hold what cannot be read. Empty: the header of the segment there is damaged, which
// costs no record.
struct LogDamage {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::optional<std::uint32_t> items;  // lost with it; nullopt: not known
  std::uint64_t segment = 0;           // the first position of the segment that holds it
};

// Positions [begin, end) hold nothing: they were passed over when the log was written, a filler stands there,
// or it is gone. Which of them, who wrote the log knows.
struct LogGap {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// What one read() has found. Records, damages and gaps together are all that was read, each position in one.
struct LogChunk {
  std::vector<LogRecord> records;  // in order; they view the memory that was given
  std::vector<LogDamage> damages;  // in order, among the records
  std::vector<LogGap> gaps;        // the same
  bool at_end = false;             // nothing follows, for now; with a limit: it was reached
  bool torn = false;               // at_end: what follows is no whole record
  // Not 0: the next record needs as much memory, and nothing was read.
  std::uint64_t bytes_wanted = 0;

  void clear();
};

// Checks every checksum. A damaged record is passed by: by its length where its header is good, else by a
// search for the next header that fits its place.
//
// Threads: one; the log may be written meanwhile by another, and segments before position() removed.
class SegmentReader {
 public:
  static constexpr std::size_t kMemoryMin = 4096;

  SegmentReader(Disk& disk, std::string directory, std::uint64_t position)
      : disk_(disk), directory_(std::move(directory)), position_(position) {}

  // The next record is here, or behind a gap or a damage that begins here.
  std::uint64_t position() const { return damaged_from_.value_or(position_); }
  void seek(std::uint64_t position);

  // Reads on into `memory`, up to position `limit`: what is before it was written as whole records, so that
  // the log has a gap where it ends before. Without a limit an unreadable rest of the last segment is no
  // damage, but torn: it may be being written.
  // REQUIRES: memory.size() >= kMemoryMin.
  // Errors:   those of Disk; the position stays. kUnsupported: a segment of a newer version.
  Result<void> read(std::span<char> memory, LogChunk& chunk, std::uint64_t limit = UINT64_MAX);

 private:
  // Opens the segment that holds position_, or the next one behind it. False: there is none before `limit`.
  Result<bool> locate(std::uint64_t limit, LogChunk& chunk);
  Result<void> open(const Segment& segment, LogChunk& chunk);
  void parse(std::string_view bytes, std::uint64_t region_end, bool may_be_torn, LogChunk& chunk);
  // Passes over what is not there.
  void skip_to(std::uint64_t position, LogChunk& chunk);
  // How many of the first bytes hold no header of a record; all that could be looked at.
  std::size_t search(std::string_view bytes) const;
  std::optional<RecordHeader> header_at(std::string_view bytes, std::uint64_t position) const;

  Disk& disk_;
  const std::string directory_;
  std::uint64_t position_;

  std::unique_ptr<DiskFile> file_;
  Segment segment_;                // of file_
  std::uint64_t content_end_ = 0;  // of segment_
  bool is_last_ = false;
  std::optional<std::uint32_t> salt_;          // nullopt: its header was damaged, the first record tells
  std::optional<std::uint64_t> damaged_from_;  // a search goes on at position_
};

}  // namespace logflume
