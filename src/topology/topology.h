// The running graph: sources, the rings to their sinks, the threads, and their start, change and stop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/result.h"
#include "config/config.h"
#include "topology/services.h"

namespace logflume {

// Lifecycle: build(), start(), apply() any number of times, stop(), destroy.
// Threads:   all calls from one.
class Topology {
 public:
  // Opens every component: what will never work fails here. Sources have made their first scan on return;
  // nothing moves yet.
  // Errors: those of Source::open() and Sink::open(), the component named.
  static Result<std::unique_ptr<Topology>> build(const Config& config, Services services, bool until_eof);
  ~Topology();

  void start();
  // Makes what runs what `next` says. Components that are equal in both keep running: threads, connections,
  // queues, files and positions. What is new is opened beside them; sinks that go have up to `patience`, all
  // together, to finish (semantics 20). On an error all is as it was: what had to stop for it was started
  // anew.
  // Errors: as build().
  Result<void> apply(const Config& next, Duration patience);
  // False when apply() failed and what had been stopped for it could not be started again: `why` is in the
  // log, and there is nothing left to do but to stop.
  bool intact() const;
  // With until_eof: everything was read, delivered and acknowledged. Where it was read, sinks let nothing
  // linger from now on.
  bool exhausted();
  // Stops reading, lets the sinks finish what was read, for at most `timeout`, and commits the checkpoints.
  // False when something that was read was not acknowledged: the next start reads it again. `hurry` is asked
  // every few milliseconds: true ends the wait.
  bool stop(Duration timeout, const std::function<bool()>& hurry = {});
  // With until_eof, once exhausted(): something that matches could not be read.
  bool left_something() const;

  struct Progress {
    std::uint64_t bytes_read = 0;
    std::uint64_t bytes_unread = 0;
  };
  Progress progress() const;

 private:
  Topology();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace logflume
