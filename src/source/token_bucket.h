// Rate limit in bytes a second.
#pragma once

#include <algorithm>
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
  explicit TokenBucket(std::uint64_t bytes_per_second)
      : rate_(static_cast<double>(bytes_per_second)), burst_(rate_ / 20), tokens_(burst_) {}

  // When the next read is allowed; not later than `now` means at once.
  TimePoint ready_at(TimePoint now) {
    const std::lock_guard lock(mutex_);
    refill(now);
    if (tokens_ > 0) return now;
    return now + std::chrono::nanoseconds(static_cast<std::int64_t>((1.0 - tokens_) / rate_ * 1e9));
  }
  void take(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    tokens_ -= static_cast<double>(bytes);
  }
  // How much one read should take at most, for smoothness: what flows in 50 ms.
  std::size_t read_bytes_max() const { return static_cast<std::size_t>(std::max(burst_, 4096.0)); }

 private:
  void refill(TimePoint now) {
    if (last_ != TimePoint{} && now > last_) {
      tokens_ = std::min(burst_, tokens_ + rate_ * std::chrono::duration<double>(now - last_).count());
    }
    last_ = std::max(last_, now);
  }

  std::mutex mutex_;
  const double rate_;
  const double burst_;
  double tokens_;
  TimePoint last_{};
};

}  // namespace logflume
