// What components are given beside their configuration.
#pragma once

#include <functional>
#include <string>

#include "checkpoint/audit_journal.h"
#include "checkpoint/checkpoint_store.h"
#include "checkpoint/checkpointer.h"
#include "checkpoint/in_flight.h"
#include "config/config.h"
#include "event/slab.h"
#include "io/worker_pool.h"
#include "sink/output_registry.h"
#include "source/read_helpers.h"
#include "source/token_bucket.h"
#include "telemetry/health.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace logflume {

// What outlives a topology.
struct Services {
  MetricRegistry& metrics;
  HealthBoard& health;
  Log& log;
  CheckpointStore& store;
  Checkpointer& checkpointer;
  // No sink will ever deliver again: there is nothing left to do but to stop. Called from any thread.
  std::function<void()> on_all_given_up;
  // There is a next start, which goes on where this one stops.
  bool lasting = true;
  // A reader that leaves, as head does, ends the run: no error.
  bool reader_may_leave = false;
  // Where sources that run can be asked for what is on its way. Null: nobody asks.
  InFlightBoard* in_flight = nullptr;
  AuditJournal* journal = nullptr;  // null: nobody keeps one
};

// What the components of one topology share. Outlives them.
struct Shared {
  Shared(const Config& config, Services s);
  // What of `config` is for all of them, while they run.
  void adjust(const Config& config);

  Services services;
  MemoryBudget budget;
  MemoryBudget files;  // half of it, at most, is for what is known of files
  std::function<void()> files_changed;
  OutputRegistry outputs;
  WorkerPool workers;
  SlabPool slabs;
  ReadHelpers read_helpers;
  TokenBucket global_rate;
  const std::string host;
  const std::string data_dir;
};

}  // namespace logflume
