// Rate limit in bytes a second.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "base/clock.h"

namespace logflume {

// Reading is allowed while there are tokens, and may overdraw them by one read: the debt is waited for
// afterwards, so that a line larger than the burst still passes.
//
// Threads: any (one global limit is shared by all sources; a limit is taken once a read, not once a line).
class TokenBucket {
 public:
  // Of 0: unlimited.
  explicit TokenBucket(std::uint64_t bytes_per_second) { set_rate(bytes_per_second); }

  void set_rate(std::uint64_t bytes_per_second) {
    const std::lock_guard lock(mutex_);
    if (bytes_per_second == rate_.load(std::memory_order_relaxed)) return;
    tokens_ = burst(bytes_per_second);
    rate_.store(bytes_per_second, std::memory_order_relaxed);
  }

  bool unlimited() const { return rate_.load(std::memory_order_relaxed) == 0; }
  // When the next read is allowed; not later than `now` means at once.
  TimePoint ready_at(TimePoint now) {
    if (unlimited()) return now;
    const std::lock_guard lock(mutex_);
    const auto rate = static_cast<double>(rate_.load(std::memory_order_relaxed));
    if (last_ != TimePoint{} && now > last_) {
      const double grown = tokens_ + rate * std::chrono::duration<double>(now - last_).count();
      tokens_ = std::min(rate / kBurstsPerSecond, grown);
    }
    last_ = std::max(last_, now);
    if (tokens_ > 0 || rate == 0) return now;
    return now + std::chrono::nanoseconds(static_cast<std::int64_t>((1.0 - tokens_) / rate * 1e9));
  }
  void take(std::uint64_t bytes) {
    if (unlimited()) return;
    const std::lock_guard lock(mutex_);
    tokens_ -= static_cast<double>(bytes);
  }
  // How much one read should take at most, for smoothness: what flows in 50 ms.
  std::size_t read_bytes_max() const {
    if (unlimited()) return SIZE_MAX;
    return static_cast<std::size_t>(std::max(burst(rate_.load(std::memory_order_relaxed)), 4096.0));
  }

 private:
  static constexpr double kBurstsPerSecond = 20;
  static double burst(std::uint64_t rate) { return static_cast<double>(rate) / kBurstsPerSecond; }

  std::atomic<std::uint64_t> rate_{0};  // bytes a second
  std::mutex mutex_;
  double tokens_ = 0;
  TimePoint last_{};
};

}  // namespace logflume
