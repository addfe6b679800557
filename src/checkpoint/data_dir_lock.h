// One agent for each data_dir.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace logflume {

// flock on data_dir/logflume.lock, which holds the owner's pid. Ends with the object or the process.
class DataDirLock {
 public:
  // Creates `data_dir` with mode 0750; its parent must exist.
  // Errors: kBusy, naming the pid of the owner; kNotFound, kPermission, kInvalidArgument (no directory), kIo.
  static Result<DataDirLock> acquire(const std::string& data_dir);

  DataDirLock(DataDirLock&&) = default;
  DataDirLock& operator=(DataDirLock&&) = default;
  ~DataDirLock();

 private:
  explicit DataDirLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace logflume
