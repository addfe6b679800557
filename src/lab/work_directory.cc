#include "lab/work_directory.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/units.h"

namespace logflume {
namespace {

// Beside the files: what others on the file system may need meanwhile.
constexpr std::uint64_t kSpareBytes = 64 * 1024 * 1024;

}  // namespace

Result<WorkDirectory> WorkDirectory::make(const std::string& parent, std::uint64_t bytes) {
  std::error_code no_directory;
  std::string path = parent;
  if (path.empty()) path = std::filesystem::temp_directory_path(no_directory).string();
  if (no_directory) return errno_error(no_directory.value(), "the temporary directory");
  struct statvfs room {};
  if (::statvfs(path.c_str(), &room) != 0) return errno_error(path);
  const std::uint64_t free_bytes = static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize;
  if (free_bytes < bytes + kSpareBytes) {
    return Error{
        Errc::kIo, ENOSPC,
        fmt::format("{}: {} are free, {} are needed (--dir takes another directory, --bytes smaller files)",
                    path, human_bytes(static_cast<double>(free_bytes)),
                    human_bytes(static_cast<double>(bytes + kSpareBytes)))};
  }
  std::string pattern = path + "/logflume-lab-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) return errno_error("make a directory in " + path);
  return WorkDirectory(std::move(pattern));
}

WorkDirectory::~WorkDirectory() {
  if (path_.empty()) return;
  std::error_code ignored;  // whoever took it away first has done what was to be done
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace logflume
