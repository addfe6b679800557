// Tells when configuration files changed on disk.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace logflume {

// Watches the directories of the files, and those of all links on the way to them: a file that is written in
// place, one that replaces it, and a link that is swapped (Kubernetes' ..data) are all seen. What counts is
// the text: the same in another file is no change.
//
// Threads: one.
class ConfigWatch {
 public:
  // Files that were just read.
  explicit ConfigWatch(std::vector<std::string> paths);

  // To be polled for reading; -1 where the system has no inotify left: then look() by time alone.
  int fd() const { return inotify_.get(); }
  // When look() is to be called next, though nothing happens at fd().
  TimePoint next_look() const { return next_look_; }
  // True once the text has changed, and was left alone for a moment.
  bool look(TimePoint now);

 private:
  bool drain();
  void watch_all();
  void watch_way_to(const std::string& path, int depth);
  std::uint64_t text_hash() const;

  const std::vector<std::string> paths_;
  UniqueFd inotify_;
  std::vector<int> watches_;
  bool complete_ = false;  // every directory is watched
  std::uint64_t seen_ = 0;
  TimePoint next_look_{};
  TimePoint changing_since_ = kNever;
};

}  // namespace logflume
