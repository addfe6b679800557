#include "source/ready_files.h"

#include <algorithm>
#include <utility>

namespace logflume {

void ReadyFiles::enqueue(TailedFile& file) {
  if (file.queued) return;
  file.queued = true;
  (file.behind ? behind_ : live_).push_back(file.token);
}

TailedFile* ReadyFiles::next(std::size_t turn) {
  std::deque<FileToken>& queue = live_.empty() || (turn % 4 == 3 && !behind_.empty()) ? behind_ : live_;
  TailedFile* file = catalog_.get(queue.front());
  queue.pop_front();
  if (file != nullptr) file->queued = false;
  return file;
}

void ReadyFiles::wait(TailedFile& file, TimePoint until) {
  if (!file.waiting) waiting_.push_back(file.token);
  file.waiting = true;
  retry_at_ = std::min(retry_at_, until);
}

void ReadyFiles::wake(TailedFile& file) {
  if (std::exchange(file.waiting, false)) std::erase(waiting_, file.token);
  enqueue(file);
}

void ReadyFiles::wake_waiting() {
  retry_at_ = kNever;
  for (const FileToken token : std::exchange(waiting_, {})) {
    if (TailedFile* file = catalog_.get(token)) {
      file->waiting = false;
      enqueue(*file);
    }
  }
}

}  // namespace logflume
