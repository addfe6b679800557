// A log file as applications and logrotate treat it: appended to, and rotated in one of the usual ways.
//
// Kept files are PATH.1 (the newest) to PATH.KEEP; older ones are deleted. With gzip they are PATH.1.gz and
// so on, each complete before it appears under that name.
//
// Threads: one; compression runs on a thread of its own and is waited for by the next rotation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "base/result.h"
#include "base/unique_fd.h"

namespace logflume {

enum class Rotation {
  kNone,
  kRename,        // PATH becomes PATH.1, a new PATH is created
  kCopyTruncate,  // PATH is copied to PATH.1 and truncated
  kGzip,          // as rename, then PATH.1 is compressed
};

class RotatedFile {
 public:
  // "-" is standard output, which cannot be rotated.
  RotatedFile(std::string path, Rotation rotation, std::uint32_t keep);
  ~RotatedFile();
  RotatedFile(RotatedFile&&) noexcept;
  RotatedFile& operator=(RotatedFile&&) = delete;

  // Opens for appending; creates what is missing, but not its directory.
  Result<void> open();
  // All of `bytes`, in one write() unless the system takes less.
  Result<void> write(std::string_view bytes);
  Result<void> rotate();
  // Waits for compression. Its error, if any, of this or of an earlier rotation.
  Result<void> finish();

  const std::string& path() const { return path_; }
  std::uint32_t rotations() const { return rotations_; }

 private:
  struct Compression;
  std::string kept(std::uint32_t number) const;
  Result<void> shift_kept();
  Result<void> copy_and_truncate();

  std::string path_;
  Rotation rotation_;
  std::uint32_t keep_;
  std::uint32_t rotations_ = 0;
  UniqueFd fd_;
  std::unique_ptr<Compression> compression_;  // running, or done and not yet looked at
};

}  // namespace logflume
