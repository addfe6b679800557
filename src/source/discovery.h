// Discovery: which names match the globs, which regular file each stands for, and which of them changed.
// inotify on directories, with a rescan as the safety net (semantics 1 and 2).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "telemetry/log.h"

namespace logflume {

// The file behind a name, symbolic links followed.
struct FoundFile {
  std::string path;  // absolute, the name that matched (a link's own name, not its target's)
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t birth_ns = 0;  // 0 where the file system does not know
  std::uint64_t size_bytes = 0;
  std::int64_t modified_ns = 0;  // wall clock
};

// What the listener calls a file; given back with every event about it. 0 is "not interested".
using FileToken = std::uint64_t;

// Called from within Discovery::open(), poll() and rescan(), on their thread. A listener must not call back
// into Discovery except follow(), unfollow() and departure_of().
//
// Changes of files come in the order of the kernel's events. What one poll() or rescan() finds out about
// names is told behind them and by its result, not by its history: lost names, then renamed ones (the target
// of each is free by then, unless two names were exchanged), then found ones.
class DiscoveryListener {
 public:
  virtual ~DiscoveryListener() = default;
  // There is memory for one more file. Where there is none its name is not kept, and is looked at again by
  // rescans.
  virtual bool has_room() { return true; }
  // A matching name now stands for this regular file: found by a scan, created, moved in, or the name had
  // stood for another inode until now (then on_lost for the old one came first). Several names may lead to
  // one file. The token is remembered with the name.
  virtual FileToken on_found(const FoundFile& file) = 0;
  // The file's bytes or size may have changed. May come more often than it did.
  virtual void on_changed(FileToken token) = 0;
  // A matching name was renamed to another matching name.
  virtual void on_renamed(FileToken token, const std::string& old_path, const std::string& new_path) = 0;
  // `path` no longer stands for the file: deleted, moved to where no glob matches, or replaced.
  virtual void on_lost(FileToken token, const std::string& path) = 0;
};

struct DiscoveryConfig {
  std::vector<std::string>
      include;  // globs: * ? [] {a,b} **; relative ones are taken from the working directory
  std::vector<std::string> exclude;
  Duration rescan_interval = std::chrono::seconds(10);
};

// Threads: one.
class Discovery {
 public:
  Discovery(DiscoveryConfig config, std::string component, Log& log, DiscoveryListener& listener);
  ~Discovery();
  Discovery(const Discovery&) = delete;
  Discovery& operator=(const Discovery&) = delete;

  // Sets watches and reports every file that is there. Does not fail: what cannot be watched is polled by
  // rescans, and says so once.
  void open();
  // Readable when poll() has something to do; -1 when inotify cannot be had at all.
  int fd() const;
  // The kernel has told something that poll() has not looked at.
  bool has_news() const;
  // Handles what has come from the kernel; never blocks. Returns the number of kernel events.
  std::size_t poll();
  // When rescan() wants to be called next.
  TimePoint next_rescan() const;
  // Lists the directories and reports differences; stats only what is new, replaced, a symbolic link or in a
  // directory that cannot be watched. After a queue overflow it also reports every file as changed.
  void rescan(TimePoint now);

  // Reports on_changed(token) when the open file `fd` changes, wherever its names are (it left the globs or
  // was deleted). False when no watch can be had: the caller has to look by itself.
  bool follow(int fd, FileToken token);
  void unfollow(FileToken token);

  // What the kernel said of a name that is being reported as lost.
  struct Departure {
    enum class How : std::uint8_t {
      kUnknown,  // replaced, or found missing by a rescan
      kDeleted,
      kMoved,
    };
    How how = How::kUnknown;
    std::string to;  // kMoved: a path in a watched directory; empty when it went out of sight
  };
  Departure departure_of(const std::string& path) const;

  std::uint64_t watched_directories() const;
  std::uint64_t polled_directories() const;
  std::uint64_t known_names() const;
  // Matching names that there was no room for, as the last look at their directories counted them.
  std::uint64_t waiting_names() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace logflume
