#include "transform/watched_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "base/read_at.h"
#include "base/unique_fd.h"

namespace logflume {

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  // Nobody need be at the other end of a pipe.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return errno_error("open " + path);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return errno_error("stat " + path);
  if (!S_ISREG(status.st_mode)) return Error{Errc::kInvalidArgument, 0, path + " is no regular file"};
  std::string text;
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size <= bytes_max) {
    text.resize(size + 1);  // one more, so that growth is seen
    const Result<std::size_t> read = read_at(fd.get(), 0, text);
    if (!read) return Error{read.error().code, read.error().os_errno, path + ": " + read.error().message};
    text.resize(*read);
  }
  if (size > bytes_max || text.size() > bytes_max)
    return Error{Errc::kInvalidArgument, 0, fmt::format("{} has more than {} bytes", path, bytes_max)};
  return text;
}

std::optional<FileStamp> FileStamp::of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  const auto ns = [](const timespec& time) {
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  };
  return FileStamp{status.st_dev, status.st_ino, status.st_size, ns(status.st_mtim), ns(status.st_ctim)};
}

}  // namespace logflume
