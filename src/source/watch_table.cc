#include "source/watch_table.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>

namespace logflume {
namespace {

std::string kernel_limit(const char* name) {
  char text[32];
  const UniqueFd fd(::open((std::string("/proc/sys/fs/inotify/") + name).c_str(), O_RDONLY | O_CLOEXEC));
  const ssize_t bytes = fd.valid() ? ::read(fd.get(), text, sizeof text) : 0;
  if (bytes <= 0) return "unknown";
  const std::string_view line(text, static_cast<std::size_t>(bytes));
  return std::string(line.substr(0, line.find('\n')));
}

}  // namespace

WatchTable::WatchTable(std::string component, Log& log)
    : component_(std::move(component)), log_(log), inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (inotify_.valid()) return;
  log_.warn(
      component_,
      "no inotify instance: {}; files are polled at each rescan instead. Raise fs.inotify.max_user_instances "
      "(now {}) or the limit of open files",
      errno_error("inotify_init").text(), kernel_limit("max_user_instances"));
}

int WatchTable::add(int object_fd, std::uint32_t mask, const std::string& path) {
  if (!inotify_.valid() || exhausted_) return -1;
  // By the descriptor: the path may lead elsewhere by now.
  const std::string self = "/proc/self/fd/" + std::to_string(object_fd);
  int wd = ::inotify_add_watch(inotify_.get(), self.c_str(), mask | IN_MASK_ADD);
  if (wd < 0 && errno == ENOENT && !path.empty()) {  // no /proc here
    wd = ::inotify_add_watch(inotify_.get(), path.c_str(), mask | IN_MASK_ADD);
  }
  if (wd < 0) {
    explain(errno, path);
    return -1;
  }
  watches_[wd].mask |= mask;
  return wd;
}

void WatchTable::set_mask(int object_fd, int wd, std::uint32_t mask) {
  Watch* watch = find(wd);
  if (watch == nullptr || watch->mask == mask) return;
  const std::string self = "/proc/self/fd/" + std::to_string(object_fd);
  if (::inotify_add_watch(inotify_.get(), self.c_str(), mask) == wd) watch->mask = mask;
}

Watch* WatchTable::find(int wd) {
  const auto found = watches_.find(wd);
  return found == watches_.end() ? nullptr : &found->second;
}

void WatchTable::release_unused() {
  for (const int wd : maybe_unused_) {
    const auto found = watches_.find(wd);
    if (found == watches_.end() || !found->second.unused()) continue;
    ::inotify_rm_watch(inotify_.get(), wd);
    watches_.erase(found);
  }
  maybe_unused_.clear();
}

std::optional<Watch> WatchTable::take(int wd) {
  const auto found = watches_.find(wd);
  if (found == watches_.end()) return std::nullopt;
  std::optional<Watch> taken(std::move(found->second));
  watches_.erase(found);
  return taken;
}

void WatchTable::explain(int os_errno, const std::string& path) {
  if (os_errno == ENOSPC || os_errno == ENOMEM) {
    exhausted_ = true;
    if (limit_said_) return;
    limit_said_ = true;
    log_.warn(
        component_,
        "inotify has no watch left for {}: it, and what else gets none, is polled at each rescan. Raise "
        "fs.inotify.max_user_watches (now {}), for example: sysctl fs.inotify.max_user_watches=1048576",
        path, kernel_limit("max_user_watches"));
  } else {
    log_.limited(LogLevel::kDebug, component_, "watch refused",
                 errno_error(os_errno, "watch " + path).text());
  }
}

}  // namespace logflume
