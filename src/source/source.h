// Where events enter: an agent that reads at each sink's own cursor and feeds the sinks' rings.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "checkpoint/audit_journal.h"
#include "checkpoint/checkpoint_store.h"
#include "checkpoint/in_flight.h"
#include "checkpoint/outlet.h"
#include "io/event_loop.h"
#include "telemetry/health.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace logflume {

class ReadHelpers;
class TokenBucket;
struct LogContent;

// What a source leaves to the one that takes its place in a reload: files that may have no name any more, and
// the contents that it read, with the cursors that sinks are about to acknowledge.
struct SourceLegacy {
  struct OpenFile {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t birth_ns = 0;
    std::string path;    // last known
    bool named = false;  // a name in the globs led to it
    UniqueFd fd;
  };
  struct Content {
    FileRecord record;
    std::vector<CursorRecord> cursors;  // how far each sink was fed
    // Null where only the store knew it. Its cursors may belong to sinks that have ended.
    std::shared_ptr<LogContent> live;
    bool vanished = false;  // it went while no agent ran
  };
  std::vector<OpenFile> files;
  std::vector<Content> contents;

  // Of what is delivered still, all is acknowledged.
  bool all_acknowledged() const;
  // The sink of this ledger has ended, and the ledger is about to go.
  void forget(const SinkLedger& ledger);
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
  // What is known of files beyond `files_beside_bytes` is reserved in it, and no more files are taken up when
  // it is used up.
  MemoryBudget& files;
  std::size_t files_beside_bytes = 0;
  std::function<void()> files_changed;  // what is reserved in it is much more, or much less, than it was
  TokenBucket& global_rate;             // shared by all sources
  std::size_t max_open_files = 1024;
  std::size_t max_held_files = SIZE_MAX;  // deleted and not read to their end: the limit does not close them
  std::function<std::uint64_t()> next_file_id;
  std::function<void()> mark_dirty;     // there is something for collect() to take
  const CheckpointContent& checkpoint;  // as it was at the start; read in open() only
  bool until_eof = false;
  AuditJournal* journal = nullptr;        // null: nobody keeps one
  std::unique_ptr<Passage> passage = {};  // null: nothing is done with the events before they go to the sinks
  ReadHelpers* read_helpers = nullptr;    // null: there is no processor to spare
  const SourceLegacy* legacy = nullptr;   // of the source that ran until now; read in open() only
};

// Lifecycle: open(), do_work(), ..., hand_over(), all on the loop's thread, or while it does not run;
// destroyed
//            so too.
class Source : public Agent {
 public:
  virtual Result<void> open() = 0;

  // Sinks come and go while the source runs: on the loop's thread, or while it does not run.
  // Nothing more is fed to the sink, which is about to end; its positions are kept until another connects or
  // it is disconnected.
  virtual void pause(const std::string& sink) = 0;
  // A sink that takes the place of one that is paused and has ended, under its name or as `outlet.formerly`,
  // goes on at what that one acknowledged. One that `stored` knows goes on there, a new one where the source
  // is (semantics 12).
  virtual void connect(Outlet outlet, const CheckpointContent& stored) = 0;
  // What the sink has taken it goes on to deliver, unless it has ended.
  virtual void disconnect(const std::string& sink) = 0;
  // What was read goes another way from now on: null, straight to the sinks.
  virtual void set_passage(std::unique_ptr<Passage> passage) = 0;
  virtual void set_limits(std::size_t max_open_files, std::size_t max_held_files) = 0;
  // Adds how far each sink was fed of those of `files` that this source reads. On the loop's thread; as much
  // work as there are files.
  virtual void in_flight(std::span<const FileRecord> files, std::vector<InFlight>& found) const = 0;

  // From any thread: nothing more is read; what was fed goes on to be delivered.
  virtual void stop_reading() = 0;
  // From any thread: nothing more is fed.
  virtual bool stopped() const = 0;
  // From any thread, with until_eof: everything was read to its end and fed.
  virtual bool all_fed() const = 0;
  // The same, and acknowledged.
  virtual bool exhausted() const = 0;
  // From any thread: bytes known to be there and not read, about.
  virtual std::uint64_t lag_bytes() const = 0;
  // After stopped(). The source does nothing more.
  virtual SourceLegacy hand_over() = 0;
  // From any thread, with until_eof, once exhausted(): something that matches could not be read.
  virtual bool left_something() const = 0;
  // From the checkpointer's thread: what the checkpoint store has to know of files.
  virtual void collect(CheckpointChanges& changes) = 0;
};

}  // namespace logflume
