#include "source/path_status.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace logflume {
namespace {

// Finalizer of MurmurHash3: every bit of the input reaches every bit of the output.
std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 33)) * 0xff51afd7ed558ccdULL;
  value = (value ^ (value >> 33)) * 0xc4ceb9fe1a85ec53ULL;
  return value ^ (value >> 33);
}

template <typename Time>
std::int64_t nanoseconds(const Time& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

// For kernels and sandboxes without statx().
int stat_old(int directory_fd, const char* path, int flags, PathStatus& status) {
  struct stat old;
  if (::fstatat(directory_fd, path, &old, flags) != 0) return errno;
  status = {old.st_mode,
            old.st_dev,
            old.st_ino,
            0,
            static_cast<std::uint64_t>(old.st_size),
            nanoseconds(old.st_mtim),
            nanoseconds(old.st_ctim),
            old.st_nlink};
  return 0;
}

}  // namespace

std::uint64_t PathStatus::identity() const {
  return mix(mix(mix(device) ^ inode) ^ static_cast<std::uint64_t>(birth_ns));
}

std::uint64_t PathStatus::signature() const {
  return mix(mix(size_bytes) ^ static_cast<std::uint64_t>(modified_ns));
}

int stat_path(int directory_fd, const char* path, bool follow_links, PathStatus& status) {
  const int flags = (follow_links ? 0 : AT_SYMLINK_NOFOLLOW) | (*path == '\0' ? AT_EMPTY_PATH : 0);
  struct statx x;
  if (::statx(directory_fd, path, flags | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME, &x) != 0) {
    return errno == ENOSYS ? stat_old(directory_fd, path, flags, status) : errno;
  }
  status.mode = x.stx_mode;
  status.device = makedev(x.stx_dev_major, x.stx_dev_minor);
  status.inode = x.stx_ino;
  status.birth_ns = (x.stx_mask & STATX_BTIME) != 0 ? nanoseconds(x.stx_btime) : 0;
  status.size_bytes = x.stx_size;
  status.modified_ns = nanoseconds(x.stx_mtime);
  status.changed_ns = nanoseconds(x.stx_ctime);
  status.links = x.stx_nlink;
  return 0;
}

FileSystemKind file_system_of(int fd) {
  constexpr std::uint32_t kRemote[] = {
      0x6969,      // NFS
      0x517b,      // SMB
      0xff534d42,  // CIFS
      0xfe534d42,  // SMB 2
      0x65735546,  // FUSE
      0x01021997,  // 9p
      0x5346414f,  // OpenAFS
      0x6b414653,  // kAFS
      0x00c36400,  // Ceph
      0x73757245,  // Coda
      0x7461636f,  // OCFS2
      0x01161970,  // GFS2
      0x0bd00bd0,  // Lustre
      0x786f4256,  // VirtualBox shared folders
      0x47504653,  // GPFS
      0x19830326,  // BeeGFS
  };
  constexpr std::uint32_t kLocal[] = {
      0xef53,      // ext2, ext3, ext4
      0x58465342,  // XFS
      0x9123683e,  // Btrfs
      0x01021994,  // tmpfs
      0xf2f52010,  // F2FS
  };
  struct statfs status;
  if (::fstatfs(fd, &status) != 0) return FileSystemKind::kOther;
  const auto is_in = [type = static_cast<std::uint32_t>(status.f_type)](const auto& list) {
    return std::find(std::begin(list), std::end(list), type) != std::end(list);
  };
  if (is_in(kRemote)) return FileSystemKind::kRemote;
  return is_in(kLocal) ? FileSystemKind::kLocal : FileSystemKind::kOther;
}

}  // namespace logflume
