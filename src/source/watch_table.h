// The inotify watches of one discovery, by watch descriptor. One inode has one watch, however many
// directories of the tree, links and followers lead to it: the users of a watch are kept beside it.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "source/discovery.h"
#include "telemetry/log.h"

namespace logflume {

using DirectoryId = std::uint32_t;

struct Watch {
  // A symbolic link whose target is watched, or a name of a file that has several.
  struct Link {
    DirectoryId directory;
    std::string name;
  };

  std::uint32_t mask = 0;
  std::vector<DirectoryId> directories;
  std::vector<Link> links;
  std::vector<FileToken> followers;
  bool unused() const { return directories.empty() && links.empty() && followers.empty(); }
};

class WatchTable {
 public:
  WatchTable(std::string component, Log& log);

  // -1 when inotify cannot be had.
  int fd() const { return inotify_.get(); }
  // Watches the inode behind an open descriptor (O_PATH will do), in addition to what is watched of it.
  // Returns the watch descriptor, or -1: then it has been said once why.
  int add(int object_fd, std::uint32_t mask, const std::string& path);
  // Replaces the mask of a watch.
  void set_mask(int object_fd, int wd, std::uint32_t mask);
  Watch* find(int wd);
  // The watch may have lost its last user. It goes at release_unused(), so that a directory that was renamed
  // (left and found again) misses nothing between the two.
  void maybe_unused(int wd) { maybe_unused_.push_back(wd); }
  void release_unused();
  // The kernel has removed this watch.
  std::optional<Watch> take(int wd);
  // True since a watch was refused for want of room, until retry().
  bool exhausted() const { return exhausted_; }
  void retry() { exhausted_ = false; }

 private:
  void explain(int os_errno, const std::string& path);

  std::string component_;
  Log& log_;
  UniqueFd inotify_;
  std::unordered_map<int, Watch> watches_;
  std::vector<int> maybe_unused_;
  bool exhausted_ = false;
  bool limit_said_ = false;
};

}  // namespace logflume
