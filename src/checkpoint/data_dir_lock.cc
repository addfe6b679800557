#include "checkpoint/data_dir_lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <thread>

namespace logflume {
namespace {

Result<void> ensure_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0750) == 0) return {};
  if (errno == EEXIST) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return errno_error("data_dir " + path);
    if (S_ISDIR(info.st_mode)) return {};
    return Error{Errc::kInvalidArgument, ENOTDIR, "data_dir " + path};
  }
  if (errno == ENOENT) {
    return Error{Errc::kNotFound, 0,
                 "data_dir " + path + " cannot be created: its parent directory does not exist"};
  }
  return errno_error("create data_dir " + path);
}

pid_t pid_in(int fd) {
  char text[32];
  const ssize_t size = ::pread(fd, text, sizeof text, 0);
  pid_t pid = 0;
  if (size > 0) std::from_chars(text, text + size, pid);
  return pid;
}

bool alive(pid_t pid) { return pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM); }

// The owner locks first and writes its pid next: what stands there in between is nothing, or the pid of an
// earlier owner that was killed.
std::string owner_of(int fd) {
  for (int attempt = 0; attempt < 20; ++attempt) {
    if (const pid_t pid = pid_in(fd); alive(pid)) return "the agent with pid " + std::to_string(pid);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  // Alive, since it holds the lock, but its pid means nothing here: another pid namespace.
  const pid_t pid = pid_in(fd);
  return pid > 0 ? "an agent in another container, pid " + std::to_string(pid) + " there" : "another agent";
}

}  // namespace

Result<DataDirLock> DataDirLock::acquire(const std::string& data_dir) {
  if (auto made = ensure_directory(data_dir); !made) return std::move(made).error();
  const std::string path = data_dir + "/logflume.lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!fd.valid()) return errno_error("open " + path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return errno_error("lock " + path);
    return Error{Errc::kBusy, 0, "data_dir " + data_dir + " is in use by " + owner_of(fd.get())};
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  // On a full disk the lock still holds; only its owner's name is missing. Overwritten in place first, so
  // that a full disk can refuse as little as possible.
  const bool written = ::pwrite(fd.get(), pid.data(), pid.size(), 0) == static_cast<ssize_t>(pid.size());
  if (::ftruncate(fd.get(), written ? static_cast<off_t>(pid.size()) : 0) != 0) {
    return errno_error("write " + path);
  }
  return DataDirLock(std::move(fd));
}

DataDirLock::~DataDirLock() {
  // The file stays: removing it would let two agents lock two files of one name.
  if (fd_.valid() && ::ftruncate(fd_.get(), 0) != 0) return;
}

}  // namespace logflume
