// SIGINT and SIGTERM as a question that long work asks, so that it can end in order.
#pragma once

#include <csignal>

namespace logflume {

// While one lives the signals do not end the process. A system call that they interrupt fails with EINTR.
//
// Threads: one at a time in a process.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  static bool stopped();

 private:
  struct sigaction old_int_ {};
  struct sigaction old_term_ {};
};

}  // namespace logflume
