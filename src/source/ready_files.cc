#include "source/ready_files.h"

#include <algorithm>
#include <utility>

namespace logflume {

void ReadyFiles::enqueue(TailedFile& file) {
  if (file.queued && !file.settled) return;  // what is settled leaves its old place behind
  file.queued = true;
  file.settled = false;
  (file.behind ? behind_ : live_).push_back(file.token);
}

void ReadyFiles::enqueue_settled(TailedFile& file) {
  if (file.queued) return;
  file.queued = file.settled = true;
  settled_.push_back(file.token);
}

std::deque<FileToken>& ReadyFiles::queue_of(std::size_t turn) {
  if (turn % 4 == 3 && !behind_.empty()) return behind_;
  if (turn % 4 == 1 && !settled_.empty()) return settled_;
  if (!live_.empty()) return live_;
  return behind_.empty() ? settled_ : behind_;
}

TailedFile* ReadyFiles::next(std::size_t turn) {
  std::deque<FileToken>& queue = queue_of(turn);
  TailedFile* file = catalog_.get(queue.front());
  queue.pop_front();
  if (file == nullptr || file->settled != (&queue == &settled_)) return nullptr;
  file->queued = file->settled = false;
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
