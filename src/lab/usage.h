// Time, CPU and what the scheduler did around a piece of work, as getrusage counts it for this process.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace logflume {

struct LabUsage {
  double seconds = 0;             // of the clock
  double cpu_seconds = 0;         // of all threads, in user and system mode
  std::uint64_t voluntary = 0;    // context switches: it waited
  std::uint64_t involuntary = 0;  // context switches: it was made to wait
  std::uint64_t faults = 0;       // page faults without I/O
  std::uint64_t major_faults = 0;
};

// What the process used since it was made.
//
// Threads: any one; other threads of the process count too.
class LabMeter {
 public:
  LabMeter();
  LabUsage usage() const;

 private:
  TimePoint begin_;
  LabUsage before_;
};

// CPU time of the calling thread alone, to be taken off what the process used.
double thread_cpu_seconds();

}  // namespace logflume
