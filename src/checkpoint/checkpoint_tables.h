// The tables of checkpoints.db and the checksum of their rows (docs/formats/checkpoint.md).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "checkpoint/checkpoint_store.h"
#include "checkpoint/sqlite.h"

namespace logflume {

constexpr std::int64_t kCheckpointApplicationId = 0x4C466C63;  // "LFlc"
constexpr std::int64_t kCheckpointFormatVersion = 2;
// Written by earlier releases, and read still.
constexpr std::int64_t kCheckpointFormatVersionMin = 1;
// Ids above are damage: nobody opens so many files.
constexpr std::uint64_t kFileIdMax = std::uint64_t{1} << 62;

// Creates the tables in an empty database, in one transaction.
Result<void> create_checkpoint_tables(SqliteDatabase& database);

// Whether `database` is a checkpoint store, of this version or an earlier one, no table more or less; returns
// the version.
// Errors: kUnsupported, a newer version; kCorrupt, something else.
Result<std::int64_t> check_checkpoint_schema(SqliteDatabase& database);

// Makes a store of an earlier version one of this version, in one transaction.
// REQUIRES: check_checkpoint_schema() succeeded.
Result<void> upgrade_checkpoints(SqliteDatabase& database, std::int64_t now_ns);

// Prepared once for each connection.
class CheckpointWriter {
 public:
  static Result<CheckpointWriter> prepare(SqliteDatabase& database);

  // Within the caller's transaction.
  Result<void> write(const CheckpointChanges& changes);
  // The lowest id never given out.
  Result<void> write_next_file_id(std::uint64_t id);

 private:
  CheckpointWriter() = default;
  Result<void> add_range(const RangeRecord& range);

  SqliteStatement put_file_, put_cursor_, put_state_, put_meta_;
  SqliteStatement remove_file_, remove_cursors_, remove_sink_, remove_state_;
  SqliteStatement find_range_, count_ranges_, insert_range_, grow_range_;
  SqliteStatement remove_ranges_, remove_lost_, remove_cursor_ranges_, remove_sink_ranges_;
};

struct CheckpointScan {
  CheckpointContent content;
  std::uint64_t next_file_id = 0;  // 0: not there, or damaged
  std::uint64_t file_id_max = 0;
  // Rows that fail their checksum, by rowid.
  std::vector<std::int64_t> damaged_files, damaged_cursors, damaged_states, damaged_ranges;
  // A page could not be read: what follows it was looked for row by row.
  bool complete = true;
  // The disk failed meanwhile, which says nothing about what is stored on it: not damage, try again.
  std::optional<Error> failed;
  std::uint64_t damaged() const {
    return damaged_files.size() + damaged_cursors.size() + damaged_states.size() + damaged_ranges.size();
  }
};

// Reads all that can be read, of an earlier version too. Never fails: what cannot be read is not there.
CheckpointScan scan_checkpoints(SqliteDatabase& database);

// The files with the ids behind `after`, `files_max` of them at most, and what belongs to them; no states,
// and damaged rows left out and counted. Of this version only.
Result<CheckpointContent> read_checkpoint_page(SqliteDatabase& database, std::uint64_t after,
                                               std::size_t files_max, std::uint64_t& damaged);

// Moves the damaged rows of `scan`, and cursors and ranges without a file, to the table `damaged`, in one
// transaction.
Result<void> set_damaged_aside(SqliteDatabase& database, const CheckpointScan& scan, std::int64_t now_ns);

}  // namespace logflume
