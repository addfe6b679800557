// What a hand-over between two stages costs, measured: through a queue, and with a sleep in between.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "lab/experiment.h"

namespace logflume {

struct HandOver {
  std::size_t capacity = 1024;
  std::size_t batch = 1;  // at most kHandOverBatchMax
  // The processor of each thread; empty: push and pop on one thread, which is pinned nowhere.
  std::vector<int> producers = {};
  std::vector<int> consumers = {};
  Duration time = 20ms;
};

constexpr std::size_t kHandOverBatchMax = 256;

// Names that advice refers to.
inline constexpr const char* kSpscRing = "SPSC ring";
inline constexpr const char* kSpscUnpadded = "SPSC, unpadded";
inline constexpr const char* kBoostSpsc = "Boost spsc_queue";
inline constexpr const char* kMpmcRing = "MPMC ring";
inline constexpr const char* kMutexDeque = "mutex and deque";
inline constexpr const char* kOneThread = "one thread";

struct QueueKind {
  std::string name;
  bool many = false;    // takes several producers and consumers
  bool batches = true;  // has them
  // Moves numbers through a new queue for about `time`. Errors: kCorrupt when not all came out.
  Result<LabWork> (*run)(const HandOver&) = nullptr;
};

std::span<const QueueKind> queue_kinds();

struct WakeKind {
  std::string name;
  // There and back between two threads that sleep in between; an operation is one way.
  Result<LabWork> (*run)(int first, int second, Duration time) = nullptr;
};

std::span<const WakeKind> wake_kinds();

}  // namespace logflume
