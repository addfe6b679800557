// One sink of a topology and all that belongs to it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "io/event_loop.h"
#include "sink/sink.h"
#include "source/outlet.h"
#include "topology/services.h"

namespace logflume {

// Threads:   the topology's, but given_up() and the gauges, which any may ask for.
// Lifecycle: open(), connect() for each source that feeds it, then its loop runs; destroyed after it has
//            stopped. What is still in its inbox goes with it, unacknowledged.
class SinkUnit {
 public:
  // `loop`, the thread that will run the sink, outlives it.
  SinkUnit(std::string name, const AnySinkConfig& config, std::size_t inflight_max, EventLoop& loop,
           Shared& shared);
  ~SinkUnit();
  SinkUnit(const SinkUnit&) = delete;
  SinkUnit& operator=(const SinkUnit&) = delete;

  // `stored`: where this sink's states are. `on_given_up` is called, on the sink's thread, after it has said
  // that it will never deliver anything again.
  // Errors: those of Sink::open(), the sink named.
  Result<void> open(const CheckpointContent& stored, std::function<void()> on_given_up);
  // A way from one more source.
  Outlet connect();
  bool feeds_on(const std::string& source) const;
  // The loop runs the sink from now on. REQUIRES: open() succeeded.
  void run() { loop_.add(*sink_); }

  // What waits for its linger is sent now.
  void drain();
  // After its loop has stopped, with nothing in flight.
  void at_rest() { sink_->at_rest(); }

  const std::string& name() const { return name_; }
  const SinkLedger& ledger() const { return ledger_; }
  const Inbox& inbox() const { return inbox_; }
  bool given_up() const { return given_up_.load(); }

 private:
  const std::string name_;
  const AnySinkConfig config_;
  Shared& shared_;
  EventLoop& loop_;
  // In the order in which they must go, the last first.
  SinkLedger ledger_;
  ComponentMetrics metrics_;
  HealthEntry health_;
  Inbox inbox_;
  Outcome outcome_;
  std::atomic<bool> given_up_{false};
  std::unique_ptr<Sink> sink_;
};

}  // namespace logflume
