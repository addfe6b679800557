// Something that is made of a file, and made anew when the file changes.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/result.h"

namespace logflume {

// The whole of a regular file. Errors: those of the system; kInvalidArgument: it is none, or has more bytes.
Result<std::string> read_file(const std::string& path, std::size_t bytes_max);

// By what it is seen that a file is another one, or has changed.
struct FileStamp {
  dev_t device = 0;
  ino_t inode = 0;
  off_t bytes = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;
  bool operator==(const FileStamp&) const = default;
  // None where there is no such file.
  static std::optional<FileStamp> of(const std::string& path);
  // A write of now could leave it as it is.
  bool is_fresh(std::int64_t wall_ns) const { return wall_ns - changed_ns < 1'000'000'000; }
};

// Threads: any. Who notices a change makes it anew, while the others have what there was.
template <typename T>
class WatchedFile {
 public:
  using Made = std::shared_ptr<const T>;
  using Make = std::function<Result<Made>(const std::string& path)>;
  static constexpr Duration kLookEvery = std::chrono::seconds(1);

  WatchedFile(std::string path, Make make) : path_(std::move(path)), make_(std::move(make)) {}

  const std::string& path() const { return path_; }
  // What was made last; null before it could be. Looks at the file when that was long ago: `changed` when
  // there is something new, `failed` when nothing could be made of what is there now. The first look is
  // waited for, whoever takes it: there is nothing to be had before.
  Made get(TimePoint now, bool& changed, std::optional<Error>& failed) {
    changed = false;
    failed.reset();
    const auto at = now.time_since_epoch().count();
    // Pairs with the release below.
    const bool first = !looked_once_.load(std::memory_order_acquire);
    if (first || at >= next_look_.load(std::memory_order_relaxed)) {
      std::unique_lock looking(looking_, std::defer_lock);
      first ? looking.lock() : static_cast<void>(looking.try_lock());
      if (looking && at >= next_look_.load(std::memory_order_relaxed)) {
        next_look_.store((now + kLookEvery).time_since_epoch().count(), std::memory_order_relaxed);
        look(changed, failed);
        looked_once_.store(true, std::memory_order_release);
      }
    }
    const std::lock_guard lock(mutex_);
    return made_;
  }

 private:
  void look(bool& changed, std::optional<Error>& failed) {
    const std::optional<FileStamp> stamp = FileStamp::of(path_);
    if (looked_ && stamp == stamp_) return;
    Result<Made> made = make_(path_);
    // What was written meanwhile, or may be without a trace, is looked at once more.
    const std::optional<FileStamp> after = FileStamp::of(path_);
    looked_ = after == stamp && !(after && after->is_fresh(wall_now_ns()));
    stamp_ = after;
    if (!made) {
      failed = std::move(made).error();
      return;
    }
    changed = true;
    const std::lock_guard lock(mutex_);
    made_ = std::move(*made);
  }

  const std::string path_;
  const Make make_;
  std::atomic<TimePoint::rep> next_look_{INT64_MIN};
  std::atomic<bool> looked_once_{false};
  std::mutex looking_;              // held by who looks
  bool looked_ = false;             // guarded by looking_
  std::optional<FileStamp> stamp_;  // what was looked at; guarded by looking_
  std::mutex mutex_;
  Made made_;  // guarded by mutex_
};

}  // namespace logflume
