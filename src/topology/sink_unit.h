// One sink of a topology and all that belongs to it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "config/config.h"
#include "io/event_loop.h"
#include "sink/sink.h"
#include "source/outlet.h"
#include "topology/services.h"

namespace logflume {

// What a sink may hold of the memory, in bytes.
struct MemoryShare {
  std::size_t inflight_max;  // handed to it and not acknowledged
  std::size_t encoded_max;   // what it makes of that
};

// Threads:   the topology's, but given_up() and the gauges, which any may ask for.
// Lifecycle: open(), run(), end(). After end() the ledger is there still, for the cursors that refer to it;
//            what was in the inbox is not acknowledged.
class SinkUnit {
 public:
  // `loop`: the thread that will run the sink.
  SinkUnit(std::string name, const AnySinkConfig& config, const MemoryShare& share,
           std::shared_ptr<EventLoop> loop, Shared& shared);
  ~SinkUnit();
  SinkUnit(const SinkUnit&) = delete;
  SinkUnit& operator=(const SinkUnit&) = delete;

  // `stored`: where this sink's states are. `on_given_up` is called, on the sink's thread, after it has said
  // that it will never deliver anything again.
  // Errors: those of Sink::open(), the sink named.
  Result<void> open(const CheckpointContent& stored, std::function<void()> on_given_up);
  // The way from this source: a new one, or the one of the source whose place it takes.
  Outlet connect(const std::string& source);
  // The source goes by another name from now on.
  void rename_source(const std::string& source, const std::string& to);
  // The source feeds this sink no more. What is on the way still comes.
  void close(const std::string& source);
  // The thread runs the sink from now on. REQUIRES: open() succeeded.
  void run();
  // What waits for its linger is sent now.
  void drain();
  // The sink goes. With nothing in flight it leaves what it writes as the next one finds it best.
  void end();

  // Only the inputs may differ.
  void set_inputs(const AnySinkConfig& config) { config_ = config; }
  void set_share(const MemoryShare& share) {
    encoded_.set_limit(share.encoded_max);
    ledger_.set_inflight_max(share.inflight_max);
  }
  const std::string& name() const { return name_; }
  const AnySinkConfig& config() const { return config_; }
  const std::shared_ptr<EventLoop>& loop() const { return loop_; }
  bool runs() const { return runs_; }
  const SinkLedger& ledger() const { return ledger_; }
  const Inbox& inbox() const { return inbox_; }
  bool given_up() const { return given_up_.load(); }

 private:
  const std::string name_;
  AnySinkConfig config_;
  Shared& shared_;
  const std::shared_ptr<EventLoop> loop_;
  bool runs_ = false;
  // In the order in which they must go, the last first.
  MemoryBudget encoded_;
  SinkLedger ledger_;
  ComponentMetrics metrics_;
  std::unique_ptr<HealthEntry> health_;
  Inbox inbox_;
  Outcome outcome_;
  std::atomic<bool> given_up_{false};
  std::unique_ptr<Sink> sink_;
};

}  // namespace logflume
