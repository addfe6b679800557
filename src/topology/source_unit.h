// One source of a topology and all that belongs to it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "io/event_loop.h"
#include "source/source.h"
#include "topology/services.h"

namespace logflume {

// Threads:   the topology's.
// Lifecycle: open(), then its loop runs; destroyed after it has stopped.
class SourceUnit {
 public:
  struct Start {
    std::vector<Outlet> outlets;
    std::size_t max_open_files = 1;
    std::size_t max_held_files = 1;
    const CheckpointContent& stored;
    const SourceLegacy* legacy = nullptr;  // of the source that ran under this name
    bool until_eof = false;
  };

  // `loop`, the thread that will run the source, outlives it.
  SourceUnit(std::string name, const AnySourceConfig& config, EventLoop& loop, Shared& shared);
  ~SourceUnit();
  SourceUnit(const SourceUnit&) = delete;
  SourceUnit& operator=(const SourceUnit&) = delete;

  // Errors: those of Source::open(), the source named.
  Result<void> open(Start start);
  // The loop runs the source from now on. REQUIRES: open() succeeded.
  void run() { loop_.add(*source_); }

  const std::string& name() const { return name_; }
  // REQUIRES: open() was called.
  Source& source() const { return *source_; }
  std::uint64_t bytes_read() const { return metrics_.received_bytes.value(); }

 private:
  const std::string name_;
  const AnySourceConfig config_;
  Shared& shared_;
  EventLoop& loop_;
  ComponentMetrics metrics_;
  HealthEntry health_;
  std::unique_ptr<Source> source_;
  Checkpointer::SourceId records_ = 0;
};

}  // namespace logflume
