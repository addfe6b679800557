// Where events enter: an agent that reads at each sink's own cursor and feeds the sinks' rings.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/unique_fd.h"
#include "checkpoint/checkpoint_store.h"
#include "io/event_loop.h"
#include "source/outlet.h"
#include "telemetry/health.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace logflume {

class TokenBucket;

// What a source leaves to the one that takes its place in a reload: files that may have no name any more, and
// what only memory knows.
struct SourceLegacy {
  struct OpenFile {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t birth_ns = 0;
    std::string path;    // last known
    bool named = false;  // a name in the globs led to it
    UniqueFd fd;
  };
  std::vector<OpenFile> files;
  std::unordered_map<std::uint64_t, std::uint64_t> received_to;  // by file id: counted as received up to here
};

// What a source is given by the topology. Everything outlives the source.
struct SourceContext {
  std::string name;
  std::vector<Outlet> outlets;  // one for each sink that reads it
  ComponentMetrics& metrics;
  HealthEntry& health;
  Log& log;
  EventLoop& loop;
  SlabPool& slabs;
  TokenBucket* global_rate = nullptr;  // shared by all sources; null: unlimited
  std::size_t max_open_files = 1024;
  std::size_t max_held_files = SIZE_MAX;  // deleted and not read to their end: the limit does not close them
  std::function<std::uint64_t()> next_file_id;
  std::function<void()> mark_dirty;     // there is something for collect() to take
  const CheckpointContent& checkpoint;  // as it was at the start; read in open() only
  bool until_eof = false;
  const SourceLegacy* legacy = nullptr;  // of the source that ran under this name; read in open() only
};

// Lifecycle: open() on the thread that builds the topology, before the loop starts; do_work() on the loop;
//            destroyed after the loop has stopped.
class Source : public Agent {
 public:
  virtual Result<void> open() = 0;
  // From any thread: nothing more is read; what was fed goes on to be delivered.
  virtual void stop_reading() = 0;
  // From any thread: nothing more is fed.
  virtual bool stopped() const = 0;
  // From any thread, with until_eof: everything was read to its end, fed and acknowledged.
  virtual bool exhausted() const = 0;
  // From any thread: bytes known to be there and not read, about.
  virtual std::uint64_t lag_bytes() const = 0;
  // After its loop has stopped.
  virtual SourceLegacy hand_over() = 0;
  // From any thread, with until_eof, once exhausted(): something that matches could not be read.
  virtual bool left_something() const = 0;
  // From the checkpointer's thread: what the checkpoint store has to know of files.
  virtual void collect(CheckpointChanges& changes) = 0;
};

}  // namespace logflume
