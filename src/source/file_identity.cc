#include "source/file_identity.h"

#include <dirent.h>
#include <fcntl.h>
#include <xxhash.h>

#include <memory>

#include "base/read_at.h"
#include "event/batch.h"
#include "source/path_status.h"

namespace logflume {

std::uint64_t hash_bytes(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

Result<FileStatus> file_status(int fd) {
  PathStatus status;
  if (const int error = stat_path(fd, "", true, status); error != 0) return errno_error(error, "statx");
  return FileStatus{{status.device, status.inode},
                    status.birth_ns,
                    status.size_bytes,
                    status.links,
                    status.modified_ns,
                    status.changed_ns,
                    status.is_file()};
}

Result<UniqueFd> open_regular(const std::string& path) {
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  // Each read of a file that grows would write its access time: that is a change of the inode on disk. Only
  // the owner and root may leave it as it is.
  UniqueFd fd(::open(path.c_str(), kFlags | O_NOATIME));
  if (!fd.valid() && errno == EPERM) fd = UniqueFd(::open(path.c_str(), kFlags));
  if (!fd.valid()) return errno_error("open " + path);
  const Result<FileStatus> status = file_status(fd.get());
  if (!status) return status.error();
  if (!status->regular) return Error{Errc::kUnsupported, 0, path + " is not a regular file"};
  return fd;
}

Result<std::string> read_head(int fd, std::size_t bytes_max) {
  std::string head(bytes_max, '\0');
  const Result<std::size_t> got = read_at(fd, 0, head);
  if (!got) return errno_error(got.error().os_errno, "read the first bytes");
  head.resize(*got);
  return head;
}

bool matches_before(int fd, std::uint64_t offset, std::uint32_t bytes, std::uint64_t hash) {
  char buffer[Seam::kBytesMax];
  if (bytes > sizeof buffer || bytes > offset) return false;
  const Result<std::size_t> got = read_at(fd, offset - bytes, {buffer, bytes});
  return got && *got == bytes && hash_bytes({buffer, bytes}) == hash;
}

std::optional<std::string> find_by_inode(const std::string& directory, FileKey key) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), ::closedir);
  if (!dir) return std::nullopt;
  while (const dirent* entry = ::readdir(dir.get())) {
    if (entry->d_ino != key.inode) continue;
    std::string path = directory + "/" + entry->d_name;
    PathStatus status;
    if (stat_path(AT_FDCWD, path.c_str(), true, status) == 0 && status.is_file() &&
        FileKey{status.device, status.inode} == key) {
      return path;
    }
  }
  return std::nullopt;
}

}  // namespace logflume
