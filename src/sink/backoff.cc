#include "sink/backoff.h"

#include <algorithm>
#include <random>

namespace logflume {
namespace {

std::function<double()> system_random() {
  return [engine = std::minstd_rand(std::random_device{}())]() mutable {
    return std::uniform_real_distribution<double>(0, 1)(engine);
  };
}

}  // namespace

Backoff::Backoff(const RetryConfig& config, std::function<double()> random)
    : initial_(std::max(config.initial, Duration(1ms))),
      max_(std::clamp<Duration>(config.max, initial_, std::max<Duration>(initial_, std::chrono::hours(24)))),
      random_(random ? std::move(random) : system_random()) {}

Duration Backoff::next() {
  // Doubled in floating point: it cannot overflow, whatever was configured and however often it failed.
  const double doubled =
      static_cast<double>(initial_.count()) * static_cast<double>(1ULL << std::min(failures_, 62u));
  const double ceiling = std::min(doubled, static_cast<double>(max_.count()));
  ++failures_;
  return Duration(static_cast<Duration::rep>(ceiling * random_()));
}

}  // namespace logflume
