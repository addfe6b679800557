#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "disk/disk.h"

namespace logflume {

// A disk that fails where it is told to.
class FailingDisk final : public Disk {
 public:
  Result<std::unique_ptr<DiskFile>> open(const std::string& path, DiskOpen how) override {
    auto file = posix_disk().open(path, how);
    if (!file) return file;
    return std::unique_ptr<DiskFile>(std::make_unique<File>(*this, std::move(*file)));
  }
  Result<DiskStatus> status(const std::string& path) override { return posix_disk().status(path); }
  Result<void> rename(const std::string& from, const std::string& to) override {
    return posix_disk().rename(from, to);
  }
  Result<void> link(const std::string& from, const std::string& to) override {
    return posix_disk().link(from, to);
  }
  Result<void> remove(const std::string& path) override { return posix_disk().remove(path); }
  Result<void> make_directory(const std::string& path) override { return posix_disk().make_directory(path); }
  Result<std::vector<DiskEntry>> list(const std::string& path) override { return posix_disk().list(path); }
  Result<void> sync_directory(const std::string& path) override { return posix_disk().sync_directory(path); }
  const char* sqlite_vfs() const override { return nullptr; }

  // From any thread.
  std::atomic<bool> sync_fails{false};
  std::atomic<bool> read_fails{false};
  std::atomic<std::size_t> room{SIZE_MAX};  // bytes that can still be written

 private:
  class File final : public DiskFile {
   public:
    File(FailingDisk& disk, std::unique_ptr<DiskFile> file) : disk_(disk), file_(std::move(file)) {}
    Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
      if (disk_.read_fails) return errno_error(EIO, "read");
      return file_->read(offset, into);
    }
    Result<std::size_t> write(std::uint64_t offset, std::span<const iovec> pieces) override {
      if (disk_.room == 0) return errno_error(ENOSPC, "write");
      iovec first = pieces.front();
      first.iov_len = std::min(first.iov_len, disk_.room.load());
      if (disk_.room != SIZE_MAX) disk_.room -= first.iov_len;
      return file_->write(offset, {&first, 1});
    }
    Result<std::size_t> append(std::span<const iovec> pieces) override { return file_->append(pieces); }
    Result<void> sync() override {
      if (disk_.sync_fails) return errno_error(EIO, "fdatasync");
      return file_->sync();
    }
    Result<void> truncate(std::uint64_t size) override { return file_->truncate(size); }
    Result<DiskStatus> status() const override { return file_->status(); }

   private:
    FailingDisk& disk_;
    std::unique_ptr<DiskFile> file_;
  };
};

}  // namespace logflume
