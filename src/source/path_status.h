// What stands behind a path: the parts of statx() that discovery looks at.
#pragma once

#include <sys/stat.h>

#include <cstdint>

namespace logflume {

struct PathStatus {
  std::uint32_t mode = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t birth_ns = 0;  // 0 where the file system does not know
  std::uint64_t size_bytes = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;  // the inode; nobody can set it, unlike modified_ns
  std::uint64_t links = 0;      // names in directories; 0: deleted

  bool is_file() const { return S_ISREG(mode); }
  bool is_directory() const { return S_ISDIR(mode); }
  bool is_link() const { return S_ISLNK(mode); }

  // Differs for different inodes, also for one number used twice (as far as the birth time tells).
  std::uint64_t identity() const;
  // Differs when the content was changed.
  std::uint64_t signature() const;
};

// Of `path`, relative to `directory_fd` (or AT_FDCWD); an empty path means the descriptor itself. Never
// opens anything. Returns 0 or errno.
int stat_path(int directory_fd, const char* path, bool follow_links, PathStatus& status);

// What a file system can be relied upon for.
enum class FileSystemKind {
  kLocal,   // a directory's changed_ns tells of every name that comes or goes
  kOther,   // unknown
  kRemote,  // changes made elsewhere reach no inotify of this host (NFS, SMB, FUSE, ...)
};
FileSystemKind file_system_of(int fd);

}  // namespace logflume
