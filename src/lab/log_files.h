// Files of log lines to measure with, and what of them is in the page cache.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace logflume {

// `count` files of one size, "NAME.0", "NAME.1" ..., open for reading.
//
// Threads: one.
class LogFiles {
 public:
  // Writes them, `bytes` in all, lines of some 200 bytes; durable when it returns. `stop`: see LabOptions.
  // Errors: kIo (ENOSPC and others); kBusy: stopped.
  static Result<LogFiles> make(const std::string& directory, const std::string& name, std::size_t count,
                               std::uint64_t bytes, const std::function<bool()>& stop);

  std::uint64_t file_bytes() const { return file_bytes_; }
  const std::vector<std::string>& paths() const { return paths_; }
  std::vector<int> fds() const;

  // Opened once more, with O_DIRECT, say; each has its own position. Errors: as open(2).
  Result<std::vector<UniqueFd>> open_again(int flags) const;

  // Takes all of them out of the page cache. Errors: kUnsupported where more than 1 % stays.
  Result<void> evict();
  // Has all of them in the page cache, as a sequential reader leaves them there: the sizes of the pieces that
  // the cache is made of depend on who read first, and copying out of small ones takes twice the time.
  // Errors: kUnsupported where they do not stay there.
  Result<void> warm();

 private:
  LogFiles() = default;
  // The share of the bytes that is in the page cache.
  Result<double> resident() const;
  Result<void> drop() const;
  Result<void> read_through() const;

  std::vector<std::string> paths_;
  std::vector<UniqueFd> fds_;
  std::uint64_t file_bytes_ = 0;
  bool uniform_ = false;  // since warm() nobody else brought anything into the page cache
};

// One MiB of lines of some 200 bytes; no two calls with different seeds give the same.
std::string log_text(std::uint64_t seed);

}  // namespace logflume
