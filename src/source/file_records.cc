#include "source/file_records.h"

#include <iterator>
#include <utility>

namespace logflume {
namespace {

template <typename T>
void move_all(std::vector<T>& from, std::vector<T>& to) {
  std::move(from.begin(), from.end(), std::back_inserter(to));
  from.clear();
}

}  // namespace

void FileRecords::put(FileRecord record) {
  {
    const std::lock_guard lock(mutex_);
    changes_.files.push_back(std::move(record));
  }
  mark_dirty_();
}

void FileRecords::remove(std::uint64_t file_id) {
  {
    const std::lock_guard lock(mutex_);
    changes_.removed_files.push_back(file_id);
  }
  mark_dirty_();
}

void FileRecords::put_state(SinkStateRecord state) {
  {
    const std::lock_guard lock(mutex_);
    changes_.states.push_back(std::move(state));
  }
  mark_dirty_();
}

void FileRecords::put_range(RangeRecord range) {
  {
    const std::lock_guard lock(mutex_);
    changes_.ranges.push_back(std::move(range));
  }
  mark_dirty_();
}

void FileRecords::found(std::uint64_t file_id) {
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(changes_.ranges, [&](const RangeRecord& range) {
      return range.file_id == file_id && range.kind == RangeKind::kLost;
    });
    changes_.found_files.push_back(file_id);
  }
  mark_dirty_();
}

void FileRecords::collect(CheckpointChanges& changes) {
  const std::lock_guard lock(mutex_);
  move_all(changes_.files, changes.files);
  move_all(changes_.removed_files, changes.removed_files);
  move_all(changes_.states, changes.states);
  move_all(changes_.found_files, changes.found_files);
  move_all(changes_.ranges, changes.ranges);
}

}  // namespace logflume
