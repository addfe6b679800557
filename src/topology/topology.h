// The running graph: sources, the rings to their sinks, the threads, and their start and stop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "source/source.h"
#include "topology/services.h"

namespace logflume {

// Lifecycle: build(), start(), stop(), destroy.
// Threads:   all calls from one.
class Topology {
 public:
  using Legacy = std::map<std::string, SourceLegacy>;  // by the source's name

  // Opens every component: what will never work fails here. Sources have made their first scan on return;
  // nothing moves yet.
  // `legacy`: what the topology that ran until now has handed over, if there was one.
  // Errors: those of Source::open() and Sink::open(), the component named.
  static Result<std::unique_ptr<Topology>> build(const Config& config, Services services, bool until_eof,
                                                 const Legacy& legacy = {});
  ~Topology();

  void start();
  // With until_eof: everything was read, delivered and acknowledged.
  bool exhausted() const;
  // Stops reading, lets the sinks finish what was read, for at most `timeout`, and commits the checkpoints.
  // False when something that was read was not acknowledged: the next start reads it again. `hurry` is asked
  // every few milliseconds: true ends the wait.
  bool stop(Duration timeout, const std::function<bool()>& hurry = {});
  // After stop(): what the next topology needs beyond the checkpoints.
  Legacy hand_over();
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
