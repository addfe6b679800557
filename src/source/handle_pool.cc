#include "source/handle_pool.h"

#include <sys/resource.h>

#include <algorithm>

namespace logflume {

std::size_t open_files_allowed(std::size_t wanted) {
  constexpr rlim_t kReserve = 64;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  const rlim_t reserve = std::max(kReserve, limit.rlim_cur / 4);
  const rlim_t room = limit.rlim_cur > reserve * 2 ? limit.rlim_cur - reserve : limit.rlim_cur / 2;
  return std::min<std::size_t>(wanted, std::max<rlim_t>(room, 1));
}

Result<void> HandlePool::open(TailedFile& file) {
  file.last_use = steady_now();
  if (file.fd.valid()) {
    used_.splice(used_.begin(), used_, file.lru);
    return {};
  }
  if (used_.size() >= open_max_) (void)evict();
  Error last{Errc::kNotFound, 0, "no name leads to " + file.path() + " any more"};
  for (const std::string& name : file.names) {
    Result<UniqueFd> fd = open_or_make_room(name);
    if (!fd) {
      last = fd.error();
      continue;
    }
    const Result<FileStatus> status = file_status(fd->get());
    if (!status) return status.error();
    const bool same_birth = status->birth_ns == file.birth_ns || status->birth_ns == 0 || file.birth_ns == 0;
    if (status->key != file.key || !same_birth) continue;
    if (!file.archive_name) file.size_known = std::max(file.size_known, status->size_bytes);
    adopt(file, std::move(*fd));
    return {};
  }
  return last;
}

void HandlePool::adopt(TailedFile& file, UniqueFd fd) {
  file.fd = std::move(fd);
  used_.push_front(&file);
  file.lru = used_.begin();
  open_count_.store(used_.size(), std::memory_order_relaxed);
}

void HandlePool::close(TailedFile& file) {
  if (!file.fd.valid()) return;
  blocks_.forget(file.fd.get());
  file.fd.reset();
  used_.erase(file.lru);
  open_count_.store(used_.size(), std::memory_order_relaxed);
}

void HandlePool::close_unused(TimePoint before) {
  std::vector<TailedFile*> unused;
  for (auto it = used_.rbegin(); it != used_.rend() && (*it)->last_use < before; ++it) {
    if ((*it)->place == TailedFile::Place::kNamed) unused.push_back(*it);
  }
  for (TailedFile* file : unused) close(*file);
}

// Others in this process or on this host may have taken what we counted on.
Result<UniqueFd> HandlePool::open_or_make_room(const std::string& path) {
  for (;;) {
    Result<UniqueFd> fd = open_regular(path);
    if (fd || (fd.error().os_errno != EMFILE && fd.error().os_errno != ENFILE) || !evict()) return fd;
  }
}

bool HandlePool::evict() {
  for (auto it = used_.rbegin(); it != used_.rend(); ++it) {
    if ((*it)->place != TailedFile::Place::kNamed) continue;
    close(**it);
    return true;
  }
  return false;
}

}  // namespace logflume
