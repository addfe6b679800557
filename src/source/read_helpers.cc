#include "source/read_helpers.h"

#include <pthread.h>

#include <algorithm>
#include <system_error>

#include "base/read_at.h"
#include "event/newlines.h"

namespace logflume {
namespace {

constexpr unsigned kThreadsMax = 8;  // a few cores read as fast as memory is
// On average; of shorter ones the marks would take too much memory.
constexpr std::size_t kMarkedLineBytesMin = 16;

}  // namespace

void ReadBlock::run() {
  const Result<std::size_t> got = read_at(fd, offset, {to, bytes});
  got_bytes = got ? *got : 0;  // whoever reads it again, by itself, finds out why
  const std::size_t lead = std::min(lead_bytes, got_bytes);
  const std::string_view text(to + lead, got_bytes - lead);
  if (marker == nullptr) {
    newlines = count_newlines(text);
  } else {
    marker->mark(text, 0, 0, text.size(), lines);
    if (lines.ends.size() > text.size() / kMarkedLineBytesMin) lines = {};
  }
  is_done.store(true, std::memory_order_release);
}

unsigned ReadHelpers::threads_for(std::size_t cores) {
  return std::min(static_cast<unsigned>(cores) - 1, kThreadsMax);
}

ReadHelpers::~ReadHelpers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  submitted_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool ReadHelpers::try_place(std::size_t memory_bytes) {
  const std::size_t places_max = std::min(kBlocksMax, memory_bytes / SlabPool::kSlabBytes);
  if (places_.fetch_add(1, std::memory_order_relaxed) < places_max) return true;
  release_place();
  return false;
}

void ReadHelpers::submit(ReadBlock& block) {
  block.is_done.store(false, std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    if (!started_) start();
    waiting_.push_back(&block);
  }
  submitted_.notify_one();
}

bool ReadHelpers::take_back(ReadBlock& block) {
  const std::lock_guard lock(mutex_);
  return std::erase(waiting_, &block) > 0;
}

void ReadHelpers::reclaim(ReadBlock& block) {
  std::unique_lock lock(mutex_);
  if (std::erase(waiting_, &block) > 0) return;
  finished_.wait(lock, [&] {
    return std::none_of(running_.begin(), running_.end(),
                        [&](const Running& running) { return running.block == &block; });
  });
}

void ReadHelpers::leave(const Parker& reader) {
  std::unique_lock lock(mutex_);
  finished_.wait(lock, [&] {
    return std::none_of(running_.begin(), running_.end(),
                        [&](const Running& running) { return running.reader == &reader; });
  });
}

// They take no signals, as the loop that submits the first block does not: its mask is theirs. Without
// threads, where the system has none left, what is submitted is taken back by who wants it.
void ReadHelpers::start() {
  started_ = true;
  try {
    while (threads_.size() < threads_max_)
      threads_.emplace_back([this, index = threads_.size()] { run(index); });
  } catch (const std::system_error&) {
    // As many as there are.
  }
}

void ReadHelpers::run(std::size_t index) {
  ::pthread_setname_np(::pthread_self(), "read-ahead");
  std::unique_lock lock(mutex_);
  for (;;) {
    submitted_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    ReadBlock& block = *waiting_.front();
    waiting_.pop_front();
    Parker* const reader = block.reader;
    running_[index] = {&block, reader};
    lock.unlock();
    block.run();  // once it is done it may be gone, or be another one
    reader->wake();
    lock.lock();
    running_[index] = {};
    finished_.notify_all();
  }
}

}  // namespace logflume
