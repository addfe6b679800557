// Time as the project passes it around. Components get `now` as an argument or from a Clock, so that
// tests can run on simulated time.
#pragma once

#include <chrono>
#include <cstdint>

namespace logflume {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::steady_clock::time_point;  // for intervals; unmoved by a clock change
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""us;

constexpr TimePoint kNever = TimePoint::max();

inline TimePoint steady_now() { return std::chrono::steady_clock::now(); }

// Nanoseconds since 1970-01-01T00:00:00Z, for timestamps that users see.
inline std::int64_t wall_now_ns() {
  return std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace logflume
