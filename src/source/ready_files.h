// Which file is read next, and which wait for something.
#pragma once

#include <deque>
#include <vector>

#include "source/file_catalog.h"

namespace logflume {

// Queues that are served in turn, so that a backlog never stands before a live line, and neither do the files
// of the last run that are as long as they were: at a start they have to be looked at, but hold nothing new.
// A file is at most once in a queue (`queued`) and once among those that wait (`waiting`): a sink without
// room must not keep a change from the others.
//
// Threads: the source's.
class ReadyFiles {
 public:
  explicit ReadyFiles(FileCatalog& catalog) : catalog_(catalog) {}

  void enqueue(TailedFile& file);
  // Of a file of which nothing new is expected. enqueue() puts it before those.
  void enqueue_settled(TailedFile& file);
  bool empty() const { return live_.empty() && behind_.empty() && settled_.empty(); }
  // The next one, taken out of its queue; null when it is no more, or was served meanwhile. `turn` counts up:
  // live files as long as there are any, but one of those that are behind in four, and one settled file.
  // REQUIRES: !empty().
  TailedFile* next(std::size_t turn);

  // For room in a sink, memory, a rate limit or a retry; until `until` at the latest.
  void wait(TailedFile& file, TimePoint until);
  bool nobody_waits() const { return waiting_.empty(); }
  TimePoint retry_at() const { return retry_at_; }
  // It waits no longer.
  void wake(TailedFile& file);
  // All that wait are ready.
  void wake_waiting();

  // Every file that is ready or waits, perhaps twice.
  template <typename Visit>
  void for_each(Visit visit) {
    const auto visit_all = [&](const auto& tokens) {
      for (const FileToken token : tokens) {
        if (TailedFile* file = catalog_.get(token)) visit(*file);
      }
    };
    visit_all(live_);
    visit_all(behind_);
    visit_all(settled_);
    visit_all(waiting_);
  }

 private:
  std::deque<FileToken>& queue_of(std::size_t turn);

  FileCatalog& catalog_;
  std::deque<FileToken> live_;
  std::deque<FileToken> behind_;
  std::deque<FileToken> settled_;
  std::vector<FileToken> waiting_;
  TimePoint retry_at_ = kNever;
};

}  // namespace logflume
