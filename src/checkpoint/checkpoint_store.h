// Checkpoints on disk: which files are known, how far each sink has acknowledged them, and what a sink
// needs to go on exactly where it was. SQLite in WAL mode, synchronous=FULL, under data_dir.
// Format: docs/formats/checkpoint.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "disk/disk.h"

namespace logflume {

// One incarnation of a file: from its creation, or its last truncation, on.
struct FileRecord {
  std::uint64_t id = 0;
  std::string source;
  std::string path;  // last known
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t birth_ns = 0;       // 0 where the file system does not know
  std::uint32_t prefix_bytes = 0;  // how many first bytes prefix_hash covers
  std::uint64_t prefix_hash = 0;   // XXH3
  // Its bytes are no longer at (device, inode): truncated, replaced or deleted. Kept a while, so that a
  // copy or an archive of it that is found later is recognised.
  bool gone = false;
  // A copy that ends before what was read of its original: as long as it has `size_bytes`, nothing in it is
  // to be read, although the cursors stand behind its end.
  bool finished = false;
  std::uint64_t size_bytes = 0;  // the largest size seen when this was recorded
  std::int64_t updated_ns = 0;   // wall clock; of a file that is gone: when it went, as far as is known
};

struct CursorRecord {
  std::uint64_t file_id = 0;
  std::string sink;
  std::uint64_t offset = 0;
  std::uint32_t seam_bytes = 0;  // how many bytes before offset seam_hash covers
  std::uint64_t seam_hash = 0;   // XXH3
  // Kept beside the offset and not derived from it, so that an audit has two numbers to compare: of
  // [begin, offset) so many bytes, in so many events, were delivered; ranges say what became of the rest.
  std::uint64_t begin = 0;  // where the sink came in
  std::uint64_t delivered_bytes = 0;
  std::uint64_t delivered_events = 0;
};

// What may become of bytes, beside being delivered.
enum class RangeKind : std::uint8_t {
  kSkipped = 1,    // not meant to be delivered: start_at: end, a hole, the rest of a line that is too long
  kLost = 2,       // gone before they were read
  kDiscarded = 3,  // read, and given up
  kFiltered = 4,   // a transform dropped them
  kDiscardedLater = 5,  // counted as delivered when a sink's disk buffer took them, and given up after that
};
constexpr RangeKind kRangeKindMax = RangeKind::kDiscardedLater;
std::string_view range_kind_name(RangeKind kind);

// Bytes of a file that were not delivered. Kept as rows of the store since there are few of them.
struct RangeRecord {
  std::uint64_t file_id = 0;
  std::string sink;  // empty: of every sink
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  RangeKind kind = RangeKind::kSkipped;
  std::string reason;
  std::uint64_t bytes = 0;   // fewer than the range has: so many of it, where a file has too many ranges
  std::uint64_t events = 0;  // 0 where nobody counted
  std::int64_t updated_ns = 0;
};

// The sink begins anew in the file: what was stored of its ranges there holds no more.
struct CursorReset {
  std::uint64_t file_id = 0;
  std::string sink;
};

// What a sink keeps with its acknowledgements, atomically (the file sink: durable length of each output).
struct SinkStateRecord {
  std::string sink;
  std::string key;
  std::string value;  // empty: forget the key
};

// Names and paths may hold any bytes.
struct CheckpointChanges {
  std::vector<FileRecord> files;             // inserted or replaced
  std::vector<std::uint64_t> removed_files;  // with cursors and ranges; wins over all of these
  std::vector<CursorRecord> cursors;         // inserted or replaced; last one of a (file, sink) wins
  std::vector<SinkStateRecord> states;       // last one of a (sink, key) wins
  std::vector<std::string> removed_sinks{};  // all their cursors and ranges, before those added here
  // Before `ranges` are added: what was lost of these files was found after all.
  std::vector<std::uint64_t> found_files{};
  std::vector<CursorReset> resets{};  // before `ranges` are added
  // Added to what is stored: adjacent ones of one kind and reason become one, and one that is there already
  // changes nothing.
  std::vector<RangeRecord> ranges{};
  bool empty() const {
    return removed_sinks.empty() && files.empty() && removed_files.empty() && cursors.empty() &&
           states.empty() && found_files.empty() && resets.empty() && ranges.empty();
  }
};

struct CheckpointContent {
  std::vector<FileRecord> files;
  std::vector<CursorRecord> cursors;
  std::vector<SinkStateRecord> states;
  std::vector<RangeRecord> ranges = {};
};

// Threads: any; open() from one.
class CheckpointStore {
 public:
  // Most ranges that are kept for a sink in a file; what comes beyond joins the last of its kind and reason.
  static constexpr int kRangesMax = 256;

  // Creates `data_dir` (its parent must exist) and locks it for this process. A store of an older version
  // becomes one of this version.
  // A store that is damaged is moved aside as `checkpoints.db.corrupt-TIME`, what can be read of it is
  // salvaged, and `quarantined()` names it.
  // Errors: kBusy, naming the pid of the agent that holds data_dir; kUnsupported, written by a newer
  // logflume; kNotFound, kPermission, kIo.
  static Result<std::unique_ptr<CheckpointStore>> open(const std::string& data_dir);
  // The same on a disk that nobody else uses: without a lock. REQUIRES: data_dir exists.
  static Result<std::unique_ptr<CheckpointStore>> open(const std::string& data_dir, Disk& disk);
  // Reads without a lock on data_dir, for the command line; an agent may be running. Damaged records are
  // left out. Errors: as open(), but kBusy; kNotFound also when there are no checkpoints yet.
  static Result<CheckpointContent> read(const std::string& data_dir, std::uint64_t* damaged = nullptr);
  // The same of the files with the ids behind `after`, `files_max` of them at most, without states: what is
  // known of 100,000 files need not be in memory at a time.
  static Result<CheckpointContent> read_page(const std::string& data_dir, std::uint64_t after,
                                             std::size_t files_max, std::uint64_t* damaged = nullptr);
  ~CheckpointStore();
  CheckpointStore(const CheckpointStore&) = delete;
  CheckpointStore& operator=(const CheckpointStore&) = delete;

  // For a data_dir that goes with the process: what is committed is not synced to the disk.
  Result<void> keep_for_this_run_only();

  // Absolute path of the damaged store that was moved aside; empty when there was none. It may become
  // non-empty by a commit() that finds the store damaged.
  const std::string& quarantined() const { return quarantined_; }

  // Records that fail their checksum are left out, moved to the table `damaged` and counted in `damaged`,
  // together with those that were lost from a store that was moved aside, as far as that is known. Each is
  // counted by one call.
  // Cursors and ranges whose file is not known (any longer) are removed.
  Result<CheckpointContent> load(std::uint64_t* damaged = nullptr);
  // One transaction, durable on return. On an error nothing of it is stored and it may be tried again.
  // REQUIRES: the file of each cursor is stored already or among the changes.
  Result<void> commit(const CheckpointChanges& changes);
  // Never given out before, by this or any earlier process on this data_dir (once committed).
  std::uint64_t next_file_id() { return next_file_id_.fetch_add(1, std::memory_order_relaxed); }

 private:
  struct Impl;
  CheckpointStore();
  static Result<std::unique_ptr<CheckpointStore>> open(std::unique_ptr<Impl> impl);

  std::mutex mutex_;  // one load() or commit() at a time
  std::unique_ptr<Impl> impl_;
  std::string quarantined_;
  std::atomic<std::uint64_t> next_file_id_{1};
};

}  // namespace logflume
