// Parks one thread until another hands it something. An eventfd, so that a thread can wait for it together
// with its file descriptors; the system call is made only when the thread really sleeps.
//
// Protocol: the owner calls announce(), looks at its inputs once more, sleeps on fd() if they are empty, and
// calls retract() afterwards. Whoever hands something over publishes it first and then calls wake().
// Both change one atomic by read-modify-write, so one of the two comes first: either the waker sees that the
// owner is parked, or the owner sees what was published.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/unique_fd.h"
#include "ring/cache_line.h"

namespace logflume {

class Parker {
 public:
  Parker();  // throws std::system_error when there is no descriptor left

  int fd() const { return fd_.get(); }  // readable once woken

  // Owner.
  void announce() { parked_.exchange(true, std::memory_order_acq_rel); }
  void retract() { parked_.exchange(false, std::memory_order_acq_rel); }
  void drain();  // makes fd() unreadable again

  // Any thread.
  void wake() {
    if (parked_.exchange(false, std::memory_order_acq_rel)) signal();
  }

 private:
  void signal();
  UniqueFd fd_;
  alignas(kCacheLineBytes) std::atomic<bool> parked_{false};
};

}  // namespace logflume
