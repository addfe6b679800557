#include "lab/usage.h"

#include <sys/resource.h>
#include <time.h>

namespace logflume {
namespace {

// Since the process began.
LabUsage process_usage() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  // RUSAGE_SELF gives microseconds; this clock is finer and counts the same.
  timespec cpu{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  LabUsage result;
  result.cpu_seconds = static_cast<double>(cpu.tv_sec) + static_cast<double>(cpu.tv_nsec) / 1e9;
  result.voluntary = static_cast<std::uint64_t>(usage.ru_nvcsw);
  result.involuntary = static_cast<std::uint64_t>(usage.ru_nivcsw);
  result.faults = static_cast<std::uint64_t>(usage.ru_minflt);
  result.major_faults = static_cast<std::uint64_t>(usage.ru_majflt);
  return result;
}

}  // namespace

LabMeter::LabMeter() : before_(process_usage()) { begin_ = steady_now(); }

LabUsage LabMeter::usage() const {
  const double passed = std::chrono::duration<double>(steady_now() - begin_).count();
  LabUsage now = process_usage();
  now.seconds = passed;
  now.cpu_seconds -= before_.cpu_seconds;
  now.voluntary -= before_.voluntary;
  now.involuntary -= before_.involuntary;
  now.faults -= before_.faults;
  now.major_faults -= before_.major_faults;
  return now;
}

double thread_cpu_seconds() {
  timespec cpu{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
  return static_cast<double>(cpu.tv_sec) + static_cast<double>(cpu.tv_nsec) / 1e9;
}

}  // namespace logflume
