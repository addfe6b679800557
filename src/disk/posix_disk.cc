#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "base/read_at.h"
#include "base/unique_fd.h"
#include "disk/disk.h"

namespace logflume {
namespace {

constexpr mode_t kFileMode = 0640;    // of what the agent keeps for itself
constexpr mode_t kOutputMode = 0644;  // of what it writes for others
constexpr mode_t kDirectoryMode = 0755;

DiskStatus to_status(const struct statx& info) {
  DiskStatus status;
  status.device = (std::uint64_t{info.stx_dev_major} << 32) | info.stx_dev_minor;
  status.inode = info.stx_ino;
  if ((info.stx_mask & STATX_BTIME) != 0) {
    status.birth_ns = info.stx_btime.tv_sec * 1'000'000'000 + info.stx_btime.tv_nsec;
  }
  status.size_bytes = info.stx_size;
  status.links = info.stx_nlink;
  status.regular = S_ISREG(info.stx_mode);
  return status;
}

int pieces_at_once(std::span<const iovec> pieces) {
  return static_cast<int>(std::min<std::size_t>(pieces.size(), IOV_MAX));
}

class PosixFile final : public DiskFile {
 public:
  PosixFile(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
    const Result<std::size_t> got = read_at(fd_.get(), offset, into);
    if (!got) return errno_error(got.error().os_errno, "read " + path_);
    return got;
  }

  Result<std::size_t> write(std::uint64_t offset, std::span<const iovec> pieces) override {
    return written([&] {
      return ::pwritev(fd_.get(), pieces.data(), pieces_at_once(pieces), static_cast<off_t>(offset));
    });
  }

  Result<std::size_t> append(std::span<const iovec> pieces) override {
    return written([&] { return ::writev(fd_.get(), pieces.data(), pieces_at_once(pieces)); });
  }

  Result<void> sync() override {
    if (::fdatasync(fd_.get()) != 0) return errno_error("fdatasync " + path_);
    return {};
  }

  Result<void> truncate(std::uint64_t size_bytes) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size_bytes)) != 0) return errno_error("truncate " + path_);
    return {};
  }

  Result<DiskStatus> status() const override {
    struct statx info {};
    if (::statx(fd_.get(), "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &info) != 0) {
      return errno_error("stat " + path_);
    }
    return to_status(info);
  }

 private:
  template <typename Call>
  Result<std::size_t> written(Call call) {
    for (;;) {
      const ssize_t result = call();
      if (result >= 0) return static_cast<std::size_t>(result);
      if (errno != EINTR) return errno_error("write " + path_);
    }
  }

  const UniqueFd fd_;
  const std::string path_;
};

int flags_of(DiskOpen how) {
  switch (how) {
    case DiskOpen::kRead:
      return O_RDONLY;
    case DiskOpen::kWrite:
      return O_RDWR;
    case DiskOpen::kCreate:
      return O_RDWR | O_CREAT | O_EXCL;
    case DiskOpen::kAppend:
      return O_WRONLY | O_APPEND | O_CREAT;
  }
  return O_RDONLY;
}

class PosixDisk final : public Disk {
 public:
  Result<std::unique_ptr<DiskFile>> open(const std::string& path, DiskOpen how) override {
    // O_NONBLOCK: a FIFO without a reader would block; it means nothing for a regular file.
    UniqueFd fd(::open(path.c_str(), flags_of(how) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                       how == DiskOpen::kCreate ? kFileMode : kOutputMode));
    if (!fd.valid()) {
      Error error = errno_error("open " + path);
      if (error.os_errno == EEXIST) error.code = Errc::kBusy;
      return error;
    }
    return std::unique_ptr<DiskFile>(std::make_unique<PosixFile>(std::move(fd), path));
  }

  Result<DiskStatus> status(const std::string& path) override {
    struct statx info {};
    if (::statx(AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS | STATX_BTIME, &info) != 0) {
      return errno_error("stat " + path);
    }
    return to_status(info);
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return errno_error("rename " + from + " to " + to);
    return {};
  }

  Result<void> link(const std::string& from, const std::string& to) override {
    if (::link(from.c_str(), to.c_str()) == 0) return {};
    Error error = errno_error("link " + from + " as " + to);
    if (error.os_errno == EEXIST) error.code = Errc::kBusy;
    return error;
  }

  Result<void> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return errno_error("remove " + path);
    return {};
  }

  Result<void> make_directory(const std::string& path) override {
    if (::mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
      return errno_error("create directory " + path);
    }
    return {};
  }

  Result<std::vector<DiskEntry>> list(const std::string& directory) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), &::closedir);
    if (stream == nullptr) return errno_error("open " + directory);
    std::vector<DiskEntry> entries;
    errno = 0;
    while (const dirent* entry = ::readdir(stream.get())) {
      if (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN) {
        entries.push_back({entry->d_name, entry->d_ino});
      }
      errno = 0;
    }
    if (errno != 0) return errno_error("read " + directory);
    return entries;
  }

  Result<void> sync_directory(const std::string& path) override {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid()) return errno_error("open " + path);
    if (::fsync(fd.get()) != 0 && errno != EINVAL && errno != ENOTSUP) return errno_error("fsync " + path);
    return {};
  }

  const char* sqlite_vfs() const override { return nullptr; }
};

}  // namespace

Disk& posix_disk() {
  static PosixDisk disk;
  return disk;
}

}  // namespace logflume
