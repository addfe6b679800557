// How DirectoryTree looks at a directory as a whole: lists it, watches it.
#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>

#include <algorithm>
#include <cerrno>

#include "source/directory_tree.h"

namespace logflume {
namespace {

// IN_EXCL_UNLINK: writes to a deleted file that is still open would come under its old name, which may be
// another file's by now. IN_CLOSE_WRITE would say nothing that IN_MODIFY had not said.
constexpr std::uint32_t kSelfMask = IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;
constexpr std::uint32_t kWaitMask = kSelfMask | IN_CREATE | IN_MOVED_TO;
constexpr std::uint32_t kDirectoryMask = kWaitMask | IN_MODIFY | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB;

// Two changes of a directory within this time may leave the same time stamp: ext3 counts in seconds.
constexpr Duration kClockGrain = std::chrono::seconds(2);

constexpr std::uint32_t kTargetMask = IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF;

struct CloseDirectory {
  void operator()(DIR* stream) const { ::closedir(stream); }
};

}  // namespace

void DirectoryTree::scan(Directory& directory, bool every_file) {
  const std::string path = path_of(directory);
  UniqueFd fd(
      ::open(path.c_str(), (directory.literals ? O_PATH : O_RDONLY) | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK));
  PathStatus status;
  int error = fd.valid() ? stat_path(fd.get(), "", false, status) : errno;
  if (error == 0 && (status.device != directory.device || status.inode != directory.inode)) error = ENOENT;
  if (error == ENOENT || error == ENOTDIR) return look_again(directory);  // gone, or replaced
  if (error == 0 && directory.literals) {
    look_up_literals(directory, fd.get());
  } else if (error == 0) {
    const bool was_polled = directory.is_polled;
    watch(directory, fd.get(), path);
    // When a watch could be had at last, what was written before it is seen by one more look.
    const bool asks_all = every_file || was_polled || directory.is_polled;
    if (!asks_all && directory.listed_ns != 0 && directory.listed_ns == status.changed_ns) {
      look_at_links(directory, fd.get());  // no name came or went
    } else {
      const bool is_settled = status.changed_ns < wall_now_ns() - kClockGrain.count();
      error = list(directory, std::move(fd), asks_all);
      directory.listed_ns = error == 0 && is_settled && directory.waiting == 0 &&
                                    directory.file_system == FileSystemKind::kLocal
                                ? status.changed_ns
                                : 0;
    }
  }
  const bool is_said = std::exchange(directory.is_unreadable, error != 0);
  if (error != 0 && !is_said) {
    log_.warn(component_, "{}; files in it are not seen until that works",
              errno_error(error, "list " + path).text());
  }
}

// Returns 0 or errno.
int DirectoryTree::list(Directory& directory, UniqueFd fd, bool every_file) {
  const std::unique_ptr<DIR, CloseDirectory> stream(::fdopendir(fd.get()));
  if (stream == nullptr) return errno;
  const int directory_fd = fd.release();  // the stream's from here on
  const std::uint32_t scan = ++scan_;
  nobody_waits(directory);
  for (;;) {
    errno = 0;
    const dirent* item = ::readdir(stream.get());
    if (item == nullptr) break;
    const std::string_view name = item->d_name;
    if (name == "." || name == "..") continue;
    const auto found = directory.names.find(name);
    if (found == directory.names.end()) {
      if (!may_match(directory, name, item->d_type)) continue;
      // Only counted: a look at each of a million would take a second.
      if (directory.waiting > 0 && item->d_type == DT_REG && !listener_.has_room()) {
        let_wait(directory);
        continue;
      }
    } else {
      Entry& entry = found->second;
      const bool is_asked = entry.is_link || entry.dirty || (every_file && entry.kind == Entry::Kind::kFile);
      if (entry.listed_inode == item->d_ino && !is_asked) {
        entry.seen = scan;
        continue;
      }
    }
    look(directory, std::string(name), directory_fd, item->d_name, item->d_ino);
  }
  if (errno != 0) return errno;  // what was not listed may well be there
  std::vector<std::string> missing;
  for (const auto& [name, entry] : directory.names) {
    if (entry.seen != scan) missing.push_back(name);
  }
  // A listing may skip a name while others come and go: ask before it is called lost.
  for (const std::string& name : missing) look(directory, name, directory_fd, name.c_str(), 0);
  return 0;
}

// What links lead to changes without a trace in their directory.
void DirectoryTree::look_at_links(Directory& directory, int fd) {
  if (directory.link_count == 0) return;
  std::vector<std::string> links;
  for (const auto& [name, entry] : directory.names) {
    if (entry.is_link) links.push_back(name);
  }
  for (const std::string& name : links) look(directory, name, fd, name.c_str(), 0);
}

void DirectoryTree::look_up_literals(Directory& directory, int fd) {
  const std::string path = path_of(directory);
  const auto look_at_all = [&] {
    bool all_there = true;
    nobody_waits(directory);
    for (const std::string& name : *directory.literals) {
      look(directory, name, fd, name.c_str(), 0);
      const auto found = directory.names.find(name);
      all_there &= found != directory.names.end() && found->second.kind == Entry::Kind::kDirectory;
    }
    return all_there;
  };
  if (!directory.is_passage) {
    watch(directory, fd, path);
    look_at_all();
    return;
  }
  // A passage is listened to only while something is missing; when all is there, only to its own end.
  const bool all_there = look_at_all();
  const std::uint32_t mask = all_there ? kSelfMask : kWaitMask;
  if (mask == directory.mask && directory.watch >= 0) return;
  if (all_there && directory.watch < 0 && directory.parent == 0) return;  // the root does not move
  const bool listens_less = directory.watch >= 0 && mask == kSelfMask;
  directory.mask = mask;
  if (!listens_less) {
    watch(directory, fd, path);
    if (!all_there) look_at_all();  // it may have come before the watch
    return;
  }
  std::uint32_t all = 0;
  if (const Watch* shared = watches_.find(directory.watch)) {
    for (const DirectoryId id : shared->directories) {
      if (const Directory* user = find(id)) all |= user->mask;
    }
  }
  watches_.set_mask(fd, directory.watch, all);
}

void DirectoryTree::watch(Directory& directory, int fd, const std::string& path) {
  if (!directory.is_passage) directory.mask = kDirectoryMask;
  const bool is_new = directory.watch < 0;
  const int wd = watches_.add(fd, directory.mask, path);
  if (wd >= 0 && wd != directory.watch) {
    release(directory);
    directory.watch = wd;
    watches_.find(wd)->directories.push_back(directory.id);
  }
  if (is_new) {
    directory.file_system = file_system_of(fd);
    if (directory.file_system == FileSystemKind::kRemote && !remote_said_ && !directory.is_passage) {
      remote_said_ = true;
      log_.info(
          component_,
          "{} is on a network file system, where changes by other hosts make no events: it and others like "
          "it are polled at each rescan; lower rescan_interval to see changes earlier",
          path);
    }
  }
  directory.is_polled = directory.watch < 0 || directory.file_system == FileSystemKind::kRemote;
}

void DirectoryTree::watch_target(Directory& directory, const std::string& name, Entry& entry,
                                 const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  PathStatus status;
  if (!fd.valid() || stat_path(fd.get(), "", false, status) != 0 || status.identity() != entry.identity)
    return;
  const int wd = watches_.add(fd.get(), kTargetMask, path);
  if (wd < 0) return;
  entry.watch = wd;
  if (!entry.is_link) ++inodes_watched_;
  watches_.find(wd)->links.push_back({directory.id, name});
}

void DirectoryTree::release(Directory& directory) {
  if (directory.watch < 0) return;
  if (Watch* watch = watches_.find(directory.watch)) std::erase(watch->directories, directory.id);
  watches_.maybe_unused(directory.watch);
  directory.watch = -1;
}

void DirectoryTree::release_link(DirectoryId directory, std::string_view name, Entry& entry) {
  if (Watch* watch = watches_.find(entry.watch)) {
    std::erase_if(watch->links,
                  [&](const Watch::Link& link) { return link.directory == directory && link.name == name; });
  }
  watches_.maybe_unused(entry.watch);
  entry.watch = -1;
  if (!entry.is_link) --inodes_watched_;
}

}  // namespace logflume
