// The narrow seam to whatever must survive a crash: buffers, outputs, checkpoints. The agent has one
// PosixDisk; tests put a SimulatedDisk in its place, which loses what was not synced, tears writes and fails.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace logflume {

struct DiskStatus {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t birth_ns = 0;  // 0 where the file system does not know
  std::uint64_t size_bytes = 0;
  std::uint32_t links = 0;
  bool regular = false;
};

// An open file.
//
// Threads: one at a time, but read() from any.
// Errors:  kIo with os_errno (ENOSPC and EDQUOT: no space left).
class DiskFile {
 public:
  virtual ~DiskFile() = default;

  // Up to into.size() bytes from `offset`; fewer only at the end of the file.
  virtual Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const = 0;
  // Writes some of `pieces`, at least one byte, and says how many: see write_all(). After an error any part
  // may have been written.
  virtual Result<std::size_t> write(std::uint64_t offset, std::span<const iovec> pieces) = 0;
  // The same at the end of the file, wherever others have moved it. REQUIRES: opened with kAppend.
  virtual Result<std::size_t> append(std::span<const iovec> pieces) = 0;
  // What was written is durable, with the size that it needs. After an error nothing is known about any of
  // it, and a second sync() that succeeds says nothing: the kernel reports a failed write-back once and then
  // calls the page clean. Write it again.
  virtual Result<void> sync() = 0;
  virtual Result<void> truncate(std::uint64_t size_bytes) = 0;
  virtual Result<DiskStatus> status() const = 0;
};

enum class DiskOpen {
  kRead,
  kWrite,   // for reading and writing; must exist
  kCreate,  // for reading and writing; must not exist (kBusy when it does)
  kAppend,  // for appending; created when missing, also as the target of a link
};

struct DiskEntry {
  std::string name;
  std::uint64_t inode = 0;
};

// Paths are absolute or relative to the working directory; they may hold any bytes but NUL.
//
// Threads: any.
// Errors:  kNotFound, kPermission, kIo with os_errno. A FIFO, device or socket is never waited for.
class Disk {
 public:
  virtual ~Disk() = default;

  virtual Result<std::unique_ptr<DiskFile>> open(const std::string& path, DiskOpen how) = 0;
  // Follows links.
  virtual Result<DiskStatus> status(const std::string& path) = 0;
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  // A second name for a file. Fails where `to` exists (kBusy), and where a file system has no such thing.
  virtual Result<void> link(const std::string& from, const std::string& to) = 0;
  // Of a file. One that is not there is removed.
  virtual Result<void> remove(const std::string& path) = 0;
  // Nothing happens where it exists.
  virtual Result<void> make_directory(const std::string& path) = 0;
  // Regular files and what may be one, in no order.
  virtual Result<std::vector<DiskEntry>> list(const std::string& directory) = 0;
  // Names created, renamed and removed in it are durable. Nothing, where a file system cannot and need not.
  virtual Result<void> sync_directory(const std::string& path) = 0;
  // The virtual file system through which SQLite reaches the same disk; null: its own.
  virtual const char* sqlite_vfs() const = 0;
};

// The machine's. One for the process: it has no state.
Disk& posix_disk();

// Writes all of `pieces`, whose contents it uses up.
Result<void> write_all(DiskFile& file, std::uint64_t offset, std::span<iovec> pieces);
Result<void> append_all(DiskFile& file, std::span<iovec> pieces);

std::string parent_directory(const std::string& path);
// Creates what is missing of `path`, each new directory durably.
Result<void> make_directories(Disk& disk, const std::string& path);

}  // namespace logflume
