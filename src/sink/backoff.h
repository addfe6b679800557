// How long to wait before the next attempt: exponential, capped, with full jitter, so that many agents do not
// come back to a recovering server all at once.
#pragma once

#include <functional>

#include "base/clock.h"
#include "sink/sink_config.h"

namespace logflume {

// Threads: one.
class Backoff {
 public:
  // `random` returns values in [0, 1); the default is seeded from the system.
  explicit Backoff(const RetryConfig& config, std::function<double()> random = {});

  // Uniform in [0, ceiling]; the ceiling starts at `initial` (at least 1 ms) and doubles with each call up to
  // `max` (at most a day).
  Duration next();
  // After a success.
  void reset() { failures_ = 0; }
  // Calls of next() since the last reset().
  unsigned failures() const { return failures_; }

 private:
  const Duration initial_;
  const Duration max_;
  std::function<double()> random_;
  unsigned failures_ = 0;
};

}  // namespace logflume
