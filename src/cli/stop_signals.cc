#include "cli/stop_signals.h"

#include <signal.h>

namespace logflume {
namespace {

// A handler can reach nothing else.
volatile std::sig_atomic_t stop_signalled = 0;

}  // namespace

StopSignals::StopSignals() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop_signalled = 1; };
  ::sigaction(SIGINT, &action, &old_int_);
  ::sigaction(SIGTERM, &action, &old_term_);
}

StopSignals::~StopSignals() {
  ::sigaction(SIGINT, &old_int_, nullptr);
  ::sigaction(SIGTERM, &old_term_, nullptr);
}

bool StopSignals::stopped() { return stop_signalled != 0; }

}  // namespace logflume
