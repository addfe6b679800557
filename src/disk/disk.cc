#include "disk/disk.h"

namespace logflume {
namespace {

// Takes `written` bytes off the front of `pieces`.
std::span<iovec> behind(std::span<iovec> pieces, std::size_t written) {
  while (!pieces.empty() && written >= pieces.front().iov_len) {
    written -= pieces.front().iov_len;
    pieces = pieces.subspan(1);
  }
  if (written != 0) {
    pieces.front().iov_base = static_cast<char*>(pieces.front().iov_base) + written;
    pieces.front().iov_len -= written;
  }
  return pieces;
}

}  // namespace

// A short write usually means that the disk is full: the next attempt says so.
Result<void> write_all(DiskFile& file, std::uint64_t offset, std::span<iovec> pieces) {
  for (pieces = behind(pieces, 0); !pieces.empty();) {
    const auto written = file.write(offset, pieces);
    if (!written) return written.error();
    offset += *written;
    pieces = behind(pieces, *written);
  }
  return {};
}

Result<void> append_all(DiskFile& file, std::span<iovec> pieces) {
  for (pieces = behind(pieces, 0); !pieces.empty();) {
    const auto written = file.append(pieces);
    if (!written) return written.error();
    pieces = behind(pieces, *written);
  }
  return {};
}

std::string parent_directory(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> make_directories(Disk& disk, const std::string& path) {
  if (disk.status(path)) return {};  // what is no directory fails at the open of a file in it
  const std::string parent = parent_directory(path);
  if (parent != path) {
    if (auto made = make_directories(disk, parent); !made) return made;
  }
  if (auto made = disk.make_directory(path); !made) return made;
  return disk.sync_directory(parent);
}

}  // namespace logflume
