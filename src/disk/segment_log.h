// A log of records in segments: appended at its end, made durable by groups, given back from its beginning in
// whole files. What a payload holds is its user's business. Format: docs/formats/buffer.md.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "disk/disk.h"
#include "disk/record.h"
#include "disk/segment_reader.h"
#include "disk/segments.h"

namespace logflume {

struct SegmentLogOptions {
  std::uint64_t segment_bytes = 16 * 1024 * 1024;  // a new segment begins behind that
  // Positions before it are not given out again, whatever is found on disk. What is not found may still come
  // back after a power failure: a user that has it matter remembers how far it has written, beforehand.
  std::uint64_t position_min = 0;
};

// A position is the number of bytes that records before it take, gaps included: a record at `p` with a
// payload of `n` bytes ends at p + record_bytes(n). Positions are never used for something else, over
// restarts too.
//
// Threads:    append(), sync(), restart_at() from one; the rest from any. Read it with a SegmentReader.
// Invariants: what is before synced_end() is durable. A segment is synced before the next one is created, so
//             that what a crash loses is a suffix of the last one.
// Errors:     those of Disk. After one in append() or sync() nothing is known of what was appended behind
//             synced_end(): restart_at() and append it again.
class SegmentLog {
 public:
  struct Record {
    std::uint32_t items = 0;
    std::span<const iovec> payload;
  };

  // Opens the log in `directory`, which is created when something is appended. Of the last segment, whatever
  // is behind its last whole record is cut off; what is before `synced_to` was durable and is not looked at.
  // All that is left is durable on return. Errors: kUnsupported too: the last segment is of a newer version.
  static Result<std::unique_ptr<SegmentLog>> open(Disk& disk, std::string directory,
                                                  const SegmentLogOptions& options, std::uint64_t synced_to);

  // The first position that is kept; end() when nothing is.
  std::uint64_t begin() const;
  // Where the next record goes.
  std::uint64_t end() const;
  std::uint64_t synced_end() const;
  // Of all files.
  std::uint64_t size_bytes() const;
  std::uint64_t segments() const;
  // Of the oldest segment; nullopt: there is none, or it is the one that is written.
  std::optional<std::uint64_t> oldest_end() const;

  // At end(), in order. Durable after the next sync(). REQUIRES: no payload is longer than kRecordPayloadMax.
  Result<void> append(std::span<const Record> records);
  Result<void> sync();
  // The next record goes to `position`, in a segment of its own. What was appended and not synced is no part
  // of the log any more. REQUIRES: position >= synced_end(), a multiple of kRecordAlign.
  void restart_at(std::uint64_t position);

  // Removes segments that end at or before `position`, but for the one that is written.
  Result<void> drop_before(std::uint64_t position);

  const std::string& directory() const { return directory_; }

 private:
  SegmentLog(Disk& disk, std::string directory, const SegmentLogOptions& options)
      : disk_(disk), directory_(std::move(directory)), options_(options) {}
  Result<void> recover(std::uint64_t synced_to);
  std::optional<std::uint64_t> oldest_end_locked() const;
  Result<void> create_segment();
  void close_segment();
  Result<void> write(std::span<const Record> records, std::uint64_t bytes);
  Result<void> put(std::string_view piece);
  Result<void> flush();

  Disk& disk_;
  const std::string directory_;
  const SegmentLogOptions options_;

  // The appender's.
  std::unique_ptr<DiskFile> file_;  // null: the next append() begins a segment
  bool name_synced_ = false;        // of file_
  bool failed_ = false;
  Segment active_;  // file_'s, as it stands in segments_
  std::uint32_t salt_ = 0;
  // What goes to file_offset_ next, short pieces copied together: many of them cost the kernel more than
  // that.
  std::vector<iovec> pieces_;
  std::string copied_;  // never longer than its capacity: pieces_ refer to it
  std::uint64_t file_offset_ = 0;

  mutable std::mutex mutex_;      // guards all below
  std::deque<Segment> segments_;  // the last one is written when file_ is there
  bool writing_ = false;          // file_ is there
  std::uint64_t end_ = 0;
  std::uint64_t synced_end_ = 0;
};

// Where the bytes of `damage` are kept.
std::string aside_path(const std::string& directory, const LogDamage& damage);
// Keeps the bytes of `damage` in `directory`/damaged, some MiB at most in all: false where they do not fit.
Result<bool> keep_aside(Disk& disk, const std::string& directory, const LogDamage& damage);

}  // namespace logflume
