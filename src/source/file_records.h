// What the checkpoint store has to know of files, on its way there.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "checkpoint/checkpoint_store.h"

namespace logflume {

// Threads: collect() from the checkpointer's, all else from the source's.
class FileRecords {
 public:
  // `mark_dirty` is called after each change.
  explicit FileRecords(std::function<void()> mark_dirty) : mark_dirty_(std::move(mark_dirty)) {}

  void put(FileRecord record);
  void remove(std::uint64_t file_id);
  void put_state(SinkStateRecord state);
  void put_range(RangeRecord range);
  // What was lost of it goes on elsewhere.
  void found(std::uint64_t file_id);
  void collect(CheckpointChanges& changes);

 private:
  const std::function<void()> mark_dirty_;
  std::mutex mutex_;
  CheckpointChanges changes_;  // guarded by mutex_
};

}  // namespace logflume
