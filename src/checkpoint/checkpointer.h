// Group commit: collects what sinks acknowledged and sources learned, and makes it durable in one
// transaction at most once per interval.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "checkpoint/checkpoint_store.h"
#include "checkpoint/sink_ledger.h"
#include "telemetry/health.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace logflume {

struct CheckpointerConfig {
  // A checkpoint is durable within 1 s of its acknowledgement; the rest is for the commit itself.
  Duration interval = 900ms;
  // Failed commits are tried again after `interval`, then after twice that, and so on up to this.
  Duration retry_max = 10s;
};

// Threads:   all calls from any thread, but a RecordSource and SinkLedger::take() run within commit_now(),
//            remove_*() and the checkpointer's own thread: hold no lock that they need.
// Ownership: ledgers and sources live until they are removed, or until stop(); the rest outlives this.
// Invariant: ledgers are taken before record sources, so that a cursor is never committed before the record
//            of its file, provided that a source records a file before it feeds it.
class Checkpointer {
 public:
  // Adds what changed since the last call. Must be callable from any thread.
  using RecordSource = std::function<void(CheckpointChanges&)>;
  using Commit = std::function<Result<void>(const CheckpointChanges&)>;
  using SourceId = std::uint64_t;

  Checkpointer(CheckpointStore& store, MetricRegistry& metrics, HealthEntry& health, Log& log,
               CheckpointerConfig config = {});
  // With another `commit`, for tests.
  Checkpointer(Commit commit, MetricRegistry& metrics, HealthEntry& health, Log& log,
               CheckpointerConfig config = {});
  ~Checkpointer();  // stop()s if the thread runs
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  void start();
  // Ends the thread and commits what is left. May be called twice. commit_now() goes on working.
  Result<void> stop();

  // After remove_*() returned they are not called again; what they had until then goes into the next commit.
  void add_ledger(SinkLedger& ledger);
  void remove_ledger(SinkLedger& ledger);
  SourceId add_source(RecordSource source);
  void remove_source(SourceId id);

  // Something changed. Cheap, above all when it was said already.
  void mark_dirty();
  // On success all that was acknowledged or recorded before the call is durable, what earlier commits failed
  // to store included. On an error it is kept, and tried again later.
  Result<void> commit_now();
  // The same on the checkpointer's own thread, waited for so long at most: for those who must not hang with
  // the disk. False: it failed, took longer, or the thread does not run.
  bool commit_within(Duration patience);
  // commit_now(), and these with it.
  Result<void> commit_now(CheckpointChanges changes);
  // Makes of what was loaded from the store what it would hold if all commits had succeeded.
  void complete(CheckpointContent& content);

  // Since the oldest change that is not durable yet; 0 when all is.
  Duration age() const;

 private:
  void run(std::stop_token stop);
  Result<void> commit_locked();
  void report(const Result<void>& committed);
  void answer(std::uint64_t asked, bool well);

  const Commit commit_;
  const CheckpointerConfig config_;
  HealthEntry& health_;
  Log& log_;
  Counter& commits_;
  Counter& errors_;
  Histogram& commit_seconds_;

  // Set by mark_dirty(), cleared before anything is taken.
  std::atomic<bool> dirty_{false};
  std::atomic<std::int64_t> dirty_since_ns_{0};    // steady clock; 0: clean
  std::atomic<std::int64_t> pending_since_ns_{0};  // of what was taken and is not durable; 0: nothing

  std::mutex wake_mutex_;  // a leaf: nothing else is locked under it
  std::condition_variable_any wake_;
  // Guarded by wake_mutex_. Commits that were asked for, those of them that are over, and the last good one.
  std::uint64_t asked_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t answered_well_ = 0;

  std::mutex commit_mutex_;  // guards all below, and each commit
  std::vector<SinkLedger*> ledgers_;
  std::map<SourceId, RecordSource> sources_;
  SourceId next_source_ = 1;
  CheckpointChanges pending_;   // taken, not durable yet
  std::uint32_t failures_ = 0;  // in a row

  std::jthread thread_;
  std::shared_ptr<MetricRegistry::Collector> collector_;  // last: it looks at the rest
};

// Adds `newer` to `changes`: of two records of one thing the newer stays.
void merge_changes(CheckpointChanges& changes, CheckpointChanges newer);

}  // namespace logflume
