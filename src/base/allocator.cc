#include "base/allocator.h"

#include <malloc.h>

#include <atomic>
#include <chrono>
#include <new>
#include <thread>

namespace logflume {
namespace {

constexpr int kArenas = 4;
// Above the bodies and pieces that sinks make all the time. Setting it also ends its growth: by default one
// freed block of 20 MiB makes the next ones part of an arena, where a small neighbour keeps them for ever.
constexpr int kMappedBytes = 2 * 1024 * 1024;
constexpr int kTrimBytes = 1024 * 1024;  // free at the end of an arena
constexpr std::size_t kMuchBytes = 8 * 1024 * 1024;

constexpr auto kRefusedPause = std::chrono::milliseconds(10);
constexpr auto kRefusedMax = std::chrono::seconds(30);
constexpr auto kRefusedGap = std::chrono::seconds(1);  // without a refusal: what follows is another one

std::atomic<std::uint64_t> refusals{0};

// Called by operator new, which then tries again. What has been read can be delivered meanwhile, and so gives
// memory back.
void wait_for_memory() {
  using Clock = std::chrono::steady_clock;
  thread_local Clock::time_point since{};
  thread_local Clock::time_point last{};
  const Clock::time_point now = Clock::now();
  if (now - last > kRefusedGap) since = now;
  if (now - since > kRefusedMax) throw std::bad_alloc();
  count_memory_refusal();
  ::malloc_trim(0);
  std::this_thread::sleep_for(kRefusedPause);
  last = Clock::now();
}

}  // namespace

void tune_allocator() {
  ::mallopt(M_ARENA_MAX, kArenas);
  ::mallopt(M_MMAP_THRESHOLD, kMappedBytes);
  ::mallopt(M_TRIM_THRESHOLD, kTrimBytes);
  std::set_new_handler(wait_for_memory);
}

std::uint64_t memory_refusals() { return refusals.load(std::memory_order_relaxed); }
void count_memory_refusal() { refusals.fetch_add(1, std::memory_order_relaxed); }

void return_freed_memory() {
  if (::mallinfo2().fordblks >= kMuchBytes) ::malloc_trim(0);
}

}  // namespace logflume
