// A directory for an experiment's files that goes with it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/result.h"

namespace logflume {

class WorkDirectory {
 public:
  // Makes one in `parent` (empty: the temporary directory), where `bytes` and some more must be free.
  // Errors: kNotFound, kPermission, kIo: not there, not to be written to, no room.
  static Result<WorkDirectory> make(const std::string& parent, std::uint64_t bytes);
  // Removes it with all that is in it.
  ~WorkDirectory();
  WorkDirectory(WorkDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  WorkDirectory& operator=(WorkDirectory&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }

  const std::string& path() const { return path_; }

 private:
  explicit WorkDirectory(std::string path) : path_(std::move(path)) {}

  std::string path_;  // empty: moved away
};

}  // namespace logflume
