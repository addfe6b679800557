// Between a sink's inbox, which the sources fill, and a second one, which the sink takes from: a window in
// memory and a log on disk (docs/design.md, "The buffer of a sink").
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "checkpoint/checkpoint_store.h"
#include "checkpoint/sink_ledger.h"
#include "disk/disk.h"
#include "event/slab.h"
#include "io/event_loop.h"
#include "sink/sink.h"
#include "sink/sink_config.h"
#include "telemetry/health.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace logflume {

struct DiskBufferConfig {
  std::uint64_t max_bytes = std::uint64_t{1} << 30;  // of the log
  WhenFull when_full = WhenFull::kBlock;
  // Nothing is written before so much waits in memory. Absent: everything is, at once.
  bool overflow = false;
  std::uint64_t memory_bytes = 16 * 1024 * 1024;  // the window, and what is read again for the sink
  // What an earlier configuration left is delivered; nothing is written.
  bool drain_only = false;

  std::uint64_t segment_bytes() const;
};

// Everything outlives the buffer.
struct DiskBufferContext {
  std::string sink;
  std::string directory;
  Disk& disk;
  SinkLedger& ledger;  // of the sink: its sources' cursors, and the buffer's state
  Inbox& in;
  Inbox& out;
  Parker& intake_thread;
  Parker& writer_thread;
  Parker& sink_thread;
  SlabPool& slabs;
  ComponentMetrics& metrics;  // the sink's
  HealthEntry& health;        // the buffer's
  Log& log;
  std::function<Result<void>()> commit_now;                    // of the checkpointer
  std::function<Result<void>(CheckpointChanges)> commit_with;  // the same, with these
  std::shared_ptr<JournalFeed> journal = nullptr;  // of what the sink acknowledges; null: nobody keeps one
};

// Lifecycle: open() before the sources open; then intake() and writer() run, each on a thread of its own or
//            both on one, until the threads are stopped. The sink acknowledges here, not to its ledger.
// Threads:   open() before they start; acknowledge() from the sink's; drain() and the questions from any.
// Invariants (docs/design.md): a delivery is acknowledged to its source when it is durable or the sink is
// done
//            with it, whichever comes first. Sources' cursors, the sink's states and the buffer's change
//            together. A segment is removed when it is durable that the sink is done with it.
class DiskBuffer final : public AckTarget {
 public:
  DiskBuffer(DiskBufferConfig config, DiskBufferContext context);
  ~DiskBuffer() override;

  // Takes up what an earlier run has left. What was durable and not committed as such moves the sources'
  // cursors in `stored`, and the store's.
  // Errors: those of Disk; kUnsupported: a newer version wrote it.
  Result<void> open(CheckpointContent& stored);

  Agent& intake();
  Agent& writer();

  void acknowledge(std::span<const Delivery> done, std::span<const SinkStateRecord> states) override;
  void discard(Cursor& cursor, Discard discard) override;

  // What is in memory is written, and nothing more handed on while that works.
  void drain();
  // The sink is done with all of it.
  bool empty() const;
  // Deliveries that the sink has, or will take next.
  std::uint64_t in_sinks_hands() const;

 private:
  struct Parts;
  const std::unique_ptr<Parts> parts_;
};

// The directory of a sink's buffer under `data_dir`.
std::string buffer_directory(const std::string& data_dir, const std::string& sink);

}  // namespace logflume
