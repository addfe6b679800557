// A sink's buffer on disk, with the threads that it has for itself.
#pragma once

#include <memory>
#include <string>

#include "buffer/disk_buffer.h"
#include "config/config.h"
#include "io/event_loop.h"
#include "sink/sink.h"
#include "topology/services.h"

namespace logflume {

// Lifecycle: open(), start(), stop(), destroyed after the sink.
class BufferUnit {
 public:
  // Null where the sink needs none: its configuration says memory, and no earlier one has left anything.
  // `memory_bytes`: what may wait in memory. The rest is the sink's, and outlives the buffer.
  // What the buffer of `formerly` holds is this sink's, where it has none of its own.
  // Throws std::system_error when there are no descriptors left, or what is there cannot be listed.
  static std::unique_ptr<BufferUnit> make(const std::string& sink, const std::string& formerly,
                                          const BufferConfig& config, std::uint64_t memory_bytes,
                                          SinkLedger& ledger, Inbox& inbox, ComponentMetrics& metrics,
                                          EventLoop& sink_loop, Shared& shared);
  // What of its memory the sources may fill.
  static std::uint64_t window_bytes(std::uint64_t memory_bytes) { return memory_bytes / 3 * 2; }

  Result<void> open(CheckpointContent& stored) { return buffer_.open(stored); }
  void start();
  void stop();

  DiskBuffer& buffer() { return buffer_; }
  const DiskBuffer& buffer() const { return buffer_; }
  Inbox& out() { return out_; }
  const Inbox& out() const { return out_; }
  EventLoop& intake_loop() { return intake_loop_; }

 private:
  BufferUnit(const std::string& sink, DiskBufferConfig config, SinkLedger& ledger, Inbox& inbox,
             ComponentMetrics& metrics, EventLoop& sink_loop, Shared& shared);

  HealthEntry health_;
  Inbox out_;
  EventLoop intake_loop_;
  EventLoop writer_loop_;
  DiskBuffer buffer_;
};

// Says which buffers under data_dir belong to no sink of `config`.
void warn_of_orphaned_buffers(const Config& config, Shared& shared);

}  // namespace logflume
