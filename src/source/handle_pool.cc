#include "source/handle_pool.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "source/path_status.h"

namespace logflume {

std::size_t open_files_allowed(std::size_t wanted) {
  constexpr rlim_t kReserve =
      64;  // for threads, connections, the store, the API and directories that are listed
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  const rlim_t reserve = std::max(kReserve, limit.rlim_cur / 4);
  const rlim_t room = limit.rlim_cur > reserve ? limit.rlim_cur - reserve : 0;
  return std::min<std::size_t>(wanted, std::max<rlim_t>({room, limit.rlim_cur / 4, 1}));
}

Result<void> HandlePool::open(TailedFile& file) {
  file.last_use = steady_now();
  if (file.fd.valid()) {
    used_.splice(used_.begin(), used_, file.lru);
    return {};
  }
  while (used_.size() >= open_max_ && evict()) {
  }
  std::optional<Error> error;
  if (file.names.any_of([&](const std::string& name) { return open_by(file, name, error); })) return {};
  if (const std::string& moved_to = file.names.moved_to(); !moved_to.empty()) {
    if (open_by(file, moved_to, error)) return {};
    const auto moved_on = find_by_inode(moved_to.substr(0, moved_to.rfind('/')), file.key);
    if (moved_on && open_by(file, *moved_on, error)) return {};
  }
  if (error) return std::move(*error);
  return Error{Errc::kNotFound, 0, "no name leads to " + file.path() + " any more"};
}

// False, with or without an error, when `path` does not lead to `file`.
bool HandlePool::open_by(TailedFile& file, const std::string& path, std::optional<Error>& error) {
  Result<UniqueFd> fd = open_or_make_room(path);
  const Result<FileStatus> status = fd ? file_status(fd->get()) : fd.error();
  if (!status) {
    error = status.error();
    return false;
  }
  if (status->key != file.key || !same_birth(status->birth_ns, file.birth_ns)) return false;
  if (!file.archive_name) file.size_known = std::max(file.size_known, status->size_bytes);
  adopt(file, std::move(*fd));
  return true;
}

void HandlePool::adopt(TailedFile& file, UniqueFd fd) {
  file.fd = std::move(fd);
  file.is_local = file_system_of(file.fd.get()) == FileSystemKind::kLocal;
  used_.push_front(&file);
  file.lru = used_.begin();
  open_count_.store(used_.size(), std::memory_order_relaxed);
}

void HandlePool::close(TailedFile& file) {
  if (!file.fd.valid()) return;
  if (ahead_ != nullptr) ahead_->drop(file.fd.get());
  blocks_.forget(file.fd.get());
  file.fd.reset();
  file.drop_origin();
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

// What can be opened again goes first, then what nothing more is expected of. Never the one used last: two
// files are compared with each other.
bool HandlePool::evict() {
  using Place = TailedFile::Place;
  const auto close_first = [this](auto wanted) {
    if (used_.empty()) return false;
    for (auto it = used_.rbegin(); it != std::prev(used_.rend()); ++it) {
      TailedFile& file = **it;
      if (!wanted(file) || (file.place == Place::kMoved && !find_again(file))) continue;
      close(file);
      return true;
    }
    return false;
  };
  return close_first([](const TailedFile& file) {
           return file.place == Place::kNamed || (file.place == Place::kMoved && file.all_done());
         }) ||
         close_first([](const TailedFile& file) { return file.place == Place::kMoved; }) ||
         close_first([](const TailedFile& file) { return file.place == Place::kDeleted && file.all_done(); });
}

// Notes where a file is that no name leads to. False when there is no way back to it.
bool HandlePool::find_again(TailedFile& file) {
  char path[PATH_MAX];
  const std::string self = "/proc/self/fd/" + std::to_string(file.fd.get());
  const ssize_t bytes = ::readlink(self.c_str(), path, sizeof path);
  if (bytes <= 0 || static_cast<std::size_t>(bytes) == sizeof path) return false;
  std::string now_at(path, static_cast<std::size_t>(bytes));
  PathStatus status;
  if (stat_path(AT_FDCWD, now_at.c_str(), false, status) != 0 || status.device != file.key.device ||
      status.inode != file.key.inode) {
    const Result<FileStatus> own = file_status(file.fd.get());
    if (own && own->links == 0) file.place = TailedFile::Place::kDeleted;
    return false;
  }
  file.names.set_moved_to(std::move(now_at));
  return true;
}

}  // namespace logflume
