#include "source/file_identity.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <xxhash.h>

#include <memory>

#include "event/batch.h"

namespace logflume {
namespace {

// As many bytes as there are, at most `size`; negative on an error.
ssize_t read_at(int fd, char* to, std::size_t size, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pread(fd, to + done, size - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return n;
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return static_cast<ssize_t>(done);
}

}  // namespace

std::uint64_t hash_bytes(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

Result<FileStatus> file_status(int fd) {
  struct statx s;
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &s) != 0) return errno_error("statx");
  FileStatus status;
  status.key = {makedev(s.stx_dev_major, s.stx_dev_minor), s.stx_ino};
  if ((s.stx_mask & STATX_BTIME) != 0)
    status.birth_ns = s.stx_btime.tv_sec * 1'000'000'000LL + s.stx_btime.tv_nsec;
  status.size_bytes = s.stx_size;
  status.links = s.stx_nlink;
  status.modified_ns = s.stx_mtime.tv_sec * 1'000'000'000LL + s.stx_mtime.tv_nsec;
  status.changed_ns = s.stx_ctime.tv_sec * 1'000'000'000LL + s.stx_ctime.tv_nsec;
  status.regular = S_ISREG(s.stx_mode);
  return status;
}

Result<UniqueFd> open_regular(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) return errno_error("open " + path);
  struct stat s;
  if (::fstat(fd.get(), &s) != 0) return errno_error("fstat " + path);
  if (!S_ISREG(s.st_mode)) return Error{Errc::kUnsupported, 0, path + " is not a regular file"};
  return fd;
}

Result<std::string> read_head(int fd, std::size_t bytes_max) {
  std::string head(bytes_max, '\0');
  const ssize_t n = read_at(fd, head.data(), head.size(), 0);
  if (n < 0) return errno_error("read the first bytes");
  head.resize(static_cast<std::size_t>(n));
  return head;
}

bool matches_before(int fd, std::uint64_t offset, std::uint32_t bytes, std::uint64_t hash) {
  char buffer[Seam::kBytesMax];
  if (bytes > sizeof buffer || bytes > offset) return false;
  const ssize_t n = read_at(fd, buffer, bytes, offset - bytes);
  return n == static_cast<ssize_t>(bytes) && hash_bytes({buffer, bytes}) == hash;
}

std::optional<std::string> find_by_inode(const std::string& directory, FileKey key) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), ::closedir);
  if (!dir) return std::nullopt;
  while (const dirent* entry = ::readdir(dir.get())) {
    if (entry->d_ino != key.inode) continue;
    std::string path = directory + "/" + entry->d_name;
    struct stat s;
    if (::stat(path.c_str(), &s) == 0 && S_ISREG(s.st_mode) && s.st_dev == key.device &&
        s.st_ino == key.inode) {
      return path;
    }
  }
  return std::nullopt;
}

}  // namespace logflume
