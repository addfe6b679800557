// The readers of `lab concurrency`, within their own process. Internal to waiting_readers.cc.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace logflume::lab_readers {

// A reader got eight bytes, the time at which they were sent (CLOCK_MONOTONIC, ns): called at once, on the
// thread that read them.
using OnMessage = std::function<void(std::uint64_t sent_ns)>;

struct Made {
  std::size_t count = 0;
  std::string refused;
};
// Called when `Made` of the readers wait, or are about to, and no more are made.
using OnReady = std::function<void(const Made&)>;

// Each waits for all `sockets`; none returns: the process is killed when the measurement is over.
[[noreturn]] void wait_by_threads(const std::vector<int>& sockets, const OnMessage& message,
                                  const OnReady& ready);
[[noreturn]] void wait_by_coroutines(const std::vector<int>& sockets, const OnMessage& message,
                                     const OnReady& ready);
[[noreturn]] void wait_by_asio(const std::vector<int>& sockets, const OnMessage& message,
                               const OnReady& ready);
[[noreturn]] void wait_by_event_loop(const std::vector<int>& sockets, const OnMessage& message,
                                     const OnReady& ready);

}  // namespace logflume::lab_readers
