#pragma once

#include <algorithm>

#include "base/clock.h"

namespace logflume {

// Tells the processor that this is a spin: saves power and lets a sibling thread run.
inline void cpu_relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

// What an idle thread does next: look again at once, let others run first, or sleep.
//
// Spinning pays only when the next piece of work comes sooner than a sleep and a wake-up take; on a machine
// with few cores it takes the time from whoever would bring that work. So the number of spins follows what
// the last parks showed: short ones raise it, long ones soon bring it to none.
//
// Threads: one.
class IdleStrategy {
 public:
  enum class Action { kSpin, kYield, kPark };

  // Ask after a pass that found nothing to do.
  Action next() {
    if (idle_passes_ < spins_) {
      ++idle_passes_;
      return Action::kSpin;
    }
    if (spins_ != 0 && idle_passes_ < spins_ + kYields) {
      ++idle_passes_;
      return Action::kYield;
    }
    return Action::kPark;
  }

  // A pass did something.
  void worked() { idle_passes_ = 0; }

  // A park ended after `slept`.
  void parked(Duration slept) {
    idle_passes_ = 0;
    spins_ = slept < kShortPark ? std::clamp(spins_ * 2, kSpinsMin, kSpinsMax) : spins_ / 4;
  }

 private:
  // About what falling asleep and waking up cost.
  static constexpr Duration kShortPark = 20us;
  static constexpr unsigned kSpinsMin = 4;
  static constexpr unsigned kSpinsMax = 32;
  static constexpr unsigned kYields = 2;

  unsigned spins_ = kSpinsMin;
  unsigned idle_passes_ = 0;
};

}  // namespace logflume
