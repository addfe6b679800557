// Open files, at most so many: the least recently used one that can be opened again is closed for another.
#pragma once

#include <atomic>
#include <cstddef>
#include <list>
#include <optional>
#include <string>

#include "base/result.h"
#include "io/block_reader.h"
#include "source/read_ahead.h"
#include "source/tailed_file.h"

namespace logflume {

// How many log files may be open, at most `wanted`: a part of what the system allows (RLIMIT_NOFILE) is kept
// for sinks, connections, the checkpoint store and the kernel's interfaces.
std::size_t open_files_allowed(std::size_t wanted);

// Threads:   the source's; open_count() from any.
// Invariant: a deleted file that is not read to its end keeps its handle (there is no way back to it), even
//            beyond the limit, and the file used last keeps its own. One that was moved is found again where
//            it was when its handle was closed.
class HandlePool {
 public:
  // `ahead`: null, nothing is read ahead.
  HandlePool(std::size_t open_max, BlockReader& blocks, ReadAhead* ahead = nullptr)
      : open_max_(open_max), blocks_(blocks), ahead_(ahead) {}

  // Opens `file` by one of its names, or where it was moved to, unless it is open. Errors: kNotFound (also
  // when the names lead to another inode by now), kPermission, kIo (also when the process or the system has
  // no descriptor left and none can be spared), kUnsupported (no regular file).
  Result<void> open(TailedFile& file);
  // Takes a descriptor that is open on `file`.
  void adopt(TailedFile& file, UniqueFd fd);
  void close(TailedFile& file);
  // Of more than that, the next open() closes some.
  void set_open_max(std::size_t open_max) { open_max_ = open_max; }
  // Closes what was not used since `before`.
  void close_unused(TimePoint before);

  std::size_t open_count() const { return open_count_.load(std::memory_order_relaxed); }

 private:
  bool open_by(TailedFile& file, const std::string& path, std::optional<Error>& error);
  Result<UniqueFd> open_or_make_room(const std::string& path);
  bool evict();
  static bool find_again(TailedFile& file);

  std::size_t open_max_;
  BlockReader& blocks_;
  ReadAhead* const ahead_;
  std::list<TailedFile*> used_;  // most recently used first
  std::atomic<std::size_t> open_count_{0};
};

}  // namespace logflume
