// Where events leave: an agent that takes deliveries from its inbox, hands their events over and says what
// became of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/lanes.h"
#include "checkpoint/sink_ledger.h"
#include "disk/disk.h"
#include "io/event_loop.h"
#include "io/worker_pool.h"
#include "sink/output_registry.h"
#include "telemetry/health.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace logflume {

// The lanes from each source that feeds the sink, taken from in turn; live lines of all of them first.
//
// Threads: the sink's, or any while the sink does not run; size_approx() and capacity() from any. The
// producer
//          end of lanes belongs to their source.
class Inbox {
 public:
  // The way from this source: the one that is there, or a new one. A source that takes another's place goes
  // on with its lanes, so that the order within a file stays.
  Lanes& open(const std::string& source);
  // Its source has ended: the lanes go when they are empty.
  void close(const std::string& source);
  void rename(const std::string& source, const std::string& to);
  bool try_pop(Delivery& out);
  bool empty() const;

  // For gauges.
  std::size_t size_approx() const;
  std::size_t capacity() const;

 private:
  void sweep();

  struct Way {
    std::string source;
    std::unique_ptr<Lanes> lanes;
    bool closed = false;
  };
  mutable std::mutex mutex_;  // held to change ways_, and to look at them from another thread
  std::vector<Way> ways_;
  std::size_t next_ = 0;
  bool some_closed_ = false;
};

// What became of deliveries: counts, latency and acknowledgement in one place, so that the books balance:
// received = sent + discarded + pending, also over reloads. What a sink had taken in and not delivered when
// it went stays pending under its name; whoever comes under that name reads it again and does not count it
// again.
//
// Threads: the sink's.
// Invariant: of each delivery, every event is counted once, as sent or as discarded, before finish().
class Outcome {
 public:
  Outcome(AckTarget& target, ComponentMetrics& metrics);

  void taken(const Delivery& delivery);  // counts it as received, unless it was before
  // Together, as one request, one set of messages, one commit: a batch. `wire_bytes`: encoded, before
  // compression.
  void sent(std::uint64_t events, std::uint64_t wire_bytes);
  // `range`: where these events of `delivery` stand in their file. REQUIRES: before its finish().
  void discarded(std::string_view reason, const Delivery& delivery, FileRange range, std::uint64_t events);
  // All events of it are accounted for: acknowledged with the next flush().
  void finish(Delivery&& delivery);
  // Hands what was finished to the target, at one moment together with `states`. Cheap when there is nothing.
  void flush(std::span<const SinkStateRecord> states = {});

 private:
  AckTarget& target_;
  ComponentMetrics& metrics_;
  Histogram& latency_;  // logflume_delivery_latency_seconds, from read to acknowledgement, weighted by events
  Histogram& batch_events_;
  Histogram& batch_bytes_;
  // Whole numbers, kept by the registry.
  Gauge& pending_events_;
  Gauge& pending_bytes_;
  std::uint64_t again_events_;  // to be taken once more
  std::uint64_t again_bytes_;
  std::vector<Delivery> finished_;
};

// What a sink is given by the topology. Everything outlives the sink.
struct SinkContext {
  std::string name;
  Inbox& inbox;
  Outcome& outcome;
  ComponentMetrics& metrics;
  HealthEntry& health;
  Log& log;
  EventLoop& loop;       // the thread that runs the sink; its descriptors are watched here
  WorkerPool& workers;   // for what would hold the loop up
  MemoryBudget& budget;  // for what it encodes
  OutputRegistry& outputs;
  Disk& disk;        // of what a sink writes and must find again
  std::string host;  // of the `host` field
  // Makes what was flushed to the ledger durable before it returns (the file sink, before it changes files).
  std::function<Result<void>()> commit_now;
  // The sink will never deliver anything again (its pipe is closed), for that reason: when that is true of
  // all sinks, the agent stops.
  std::function<void(std::string_view why)> give_up;
  // What this sink had stored with its acknowledgements when the agent started.
  std::vector<SinkStateRecord> states;
};

// Lifecycle: open() once, on the thread that will run it or before that thread starts; do_work() until
//            drained() or the topology gives up; then destroyed, its loop stopped.
// Errors:    open() fails only for what will never work (bad path, bad certificate); a peer that is down is
//            retried by do_work() for ever and shown as degraded.
class Sink : public Agent {
 public:
  virtual Result<void> open() = 0;
  // Sends what waits for its linger now, and from now on. On the loop's thread, at the stop or before; again
  // changes nothing.
  virtual void drain() = 0;
  // Nothing taken from the inbox is unfinished.
  virtual bool drained() const = 0;
  // Leaves what it writes as a start finds it best: all that it was given is acknowledged, and its loop has
  // stopped. At most once, before it is destroyed, on any thread.
  virtual void at_rest() {}
};

}  // namespace logflume
