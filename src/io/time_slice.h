// How soon a thread that wakes up gets a processor that others keep busy.
#pragma once

#include "base/clock.h"

namespace logflume {

// What a loop does between two sleeps takes about as long. For one that feeds busy workers only: where nobody
// keeps the processors busy it costs a tenth of CPU (docs/design.md).
inline constexpr Duration kShortSlice = 100us;

// The calling thread, and those that it starts, get a processor for so long at a time while others want it,
// and the sooner when they wake up: without it one that works for microseconds waits until a compressing one
// has had its 3 ms. Zero: as the system has it. Nothing where the kernel does not know it (before
// Linux 6.12), or the thread is not scheduled fairly but by a real-time policy.
void set_time_slice(Duration slice);

}  // namespace logflume
