// One sink of a topology and all that belongs to it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "checkpoint/outlet.h"
#include "config/config.h"
#include "io/event_loop.h"
#include "sink/sink.h"
#include "topology/buffer_unit.h"
#include "topology/services.h"

namespace logflume {

// What a sink may hold of the memory, in bytes.
struct MemoryShare {
  std::uint64_t waiting_max;  // what waits for it
  std::size_t encoded_max;    // what it makes of that
};

// Threads:   the topology's, but given_up() and the gauges, which any may ask for.
// Lifecycle: open(), run(), end(). After end() the ledger is there still, for the cursors that refer to it;
//            what was in the inbox is not acknowledged.
class SinkUnit {
 public:
  // A sink that was stopped gets so long to finish what it has in its hands of a buffer that keeps it.
  static constexpr Duration kHandsPatience = 1s;

  // `loop`: the thread that will run the sink.
  SinkUnit(std::string name, const AnySinkConfig& config, const MemoryShare& share,
           std::shared_ptr<EventLoop> loop, Shared& shared);
  ~SinkUnit();
  SinkUnit(const SinkUnit&) = delete;
  SinkUnit& operator=(const SinkUnit&) = delete;

  // `stored`: where this sink's states are. `on_given_up` is called, on the sink's thread, after it has said
  // that it will never deliver anything again.
  // Errors: those of Sink::open(), the sink named.
  // A buffer on disk moves its sources' cursors in `stored` to behind what it holds.
  Result<void> open(CheckpointContent& stored, std::function<void()> on_given_up);
  // The way from this source: a new one, or the one of the source whose place it takes.
  Outlet connect(const std::string& source);
  // The source goes by another name from now on.
  void rename_source(const std::string& source, const std::string& to);
  // The source feeds this sink no more. What is on the way still comes.
  void close(const std::string& source);
  // The thread runs the sink from now on. REQUIRES: open() succeeded.
  void run();
  // What waits for its linger is sent now, and from now on. With a buffer on disk nothing changes: what is in
  // there may be much.
  void stop_lingering();
  // The same with any buffer, and what that has in memory is made durable.
  void drain();
  void stop_threads();
  // The sink goes. With nothing in flight it leaves what it writes as the next one finds it best.
  void end();

  // Only the inputs may differ.
  void set_inputs(const AnySinkConfig& config) { config_ = config; }
  void set_share(const MemoryShare& share);
  const std::string& name() const { return name_; }
  const AnySinkConfig& config() const { return config_; }
  const std::shared_ptr<EventLoop>& loop() const { return loop_; }
  bool runs() const { return runs_; }
  const SinkLedger& ledger() const { return ledger_; }
  // On their way through rings.
  std::size_t deliveries_in_rings() const;
  std::size_t ring_capacity() const;
  // Nothing waits in its buffer on disk.
  bool buffer_is_empty() const { return !buffer_ || buffer_->buffer().empty(); }
  // Its sources need not keep anything for it.
  bool is_acknowledged() const { return ledger_.inflight_batches() == 0; }
  // ... and it has nothing in its hands, which is so by itself where no buffer is.
  bool is_at_rest() const;
  bool given_up() const { return given_up_.load(); }

 private:
  // Of the thread that takes from inbox_.
  EventLoop& inbox_loop() { return buffer_ ? buffer_->intake_loop() : *loop_; }

  const std::string name_;
  AnySinkConfig config_;
  Shared& shared_;
  const std::shared_ptr<EventLoop> loop_;
  bool runs_ = false;
  bool lingers_ = true;
  // In the order in which they must go, the last first.
  MemoryBudget encoded_;
  SinkLedger ledger_;
  ComponentMetrics metrics_;
  std::unique_ptr<HealthEntry> health_;
  Inbox inbox_;
  std::unique_ptr<BufferUnit> buffer_;  // null: the sink takes from inbox_
  Outcome outcome_;
  std::atomic<bool> given_up_{false};
  std::unique_ptr<Sink> sink_;
};

}  // namespace logflume
