// One run of the agent in a simulation, from a start to a stop or a crash: what topology and its threads are
// in the real one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "buffer/buffer_state.h"
#include "buffer/disk_buffer.h"
#include "checkpoint/checkpoint_store.h"
#include "checkpoint/checkpointer.h"
#include "event/memory_budget.h"
#include "event/slab.h"
#include "simulation/model_remote.h"
#include "simulation/model_source.h"
#include "simulation/simulated_disk.h"
#include "sink/sink.h"

namespace logflume {

// What outlives the agent.
struct SimulatedWorld {
  Random& random;
  SimulatedDisk& disk;
  LogFiles& logs;
  RemoteServer& server;
  std::string output_path;  // of the file sink, a template
  std::uint32_t max_open_files = 256;
  RemoteBehaviour remote;
  std::size_t inflight_bytes_max = 0;  // of each sink
  std::optional<DiskBufferConfig> file_sink_buffer;
  std::optional<DiskBufferConfig> remote_sink_buffer;
  std::function<void(const CheckpointChanges&)> on_committed;
  std::function<void()> on_output_at_risk;  // the file sink could not store a length
  bool talks = false;                       // the agent's log goes to stderr
};

class SimulatedAgent {
 public:
  static constexpr const char* kDataDir = "/data";
  static constexpr const char* kFileSink = "archive";
  static constexpr const char* kRemoteSink = "bus";

  static Result<std::unique_ptr<SimulatedAgent>> start(SimulatedWorld& world, TimePoint now);
  ~SimulatedAgent();

  // Runs one of its parts. Returns how much it did.
  std::size_t step(TimePoint now);
  // When something is to be done although nothing happens.
  TimePoint deadline() const;
  // Everything was delivered, acknowledged and stored.
  bool idle() const;
  // Stops as the topology does; what is not finished stays unacknowledged.
  void stop(TimePoint now);
  void recover() { remote_->recover(); }
  // What is wrong in its books, if anything is.
  std::optional<std::string> wrong() const;

 private:
  struct SinkUnit {
    SinkUnit(SimulatedAgent& agent, const std::string& name, const std::optional<DiskBufferConfig>& buffer);
    SinkContext context(SimulatedAgent& agent, const CheckpointContent& stored);
    // Nothing is on its way to the sink, or in its hands.
    bool idle() const { return ledger.inflight_batches() == 0 && (!buffer || buffer->empty()); }
    bool at_rest() const {
      return ledger.inflight_batches() == 0 && (!buffer || buffer->in_sinks_hands() == 0);
    }
    std::size_t work_of_buffer(TimePoint now);
    // Of the acknowledgements that are stored. Whether `done` is one of them.
    void note_stored(const std::vector<SinkStateRecord>& states);
    bool is_stored(const ModelRemoteSink::Acknowledged& done) const;
    std::optional<std::string> wrong() const;

    const std::string name;
    SinkLedger ledger;
    ComponentMetrics metrics;
    HealthEntry health;
    Inbox inbox;     // of the sources
    Inbox buffered;  // of the sink, behind its buffer
    HealthEntry buffer_health;
    std::unique_ptr<DiskBuffer> buffer;  // null: there is none
    BufferState buffer_state;
    Outcome outcome;
    Gauge& pending;
    Lanes& lanes;
    std::unique_ptr<Sink> sink;
  };

  explicit SimulatedAgent(SimulatedWorld& world);
  Result<void> open();
  Result<void> commit(const CheckpointChanges& changes);
  Result<void> commit_for_output();

  SimulatedWorld& world_;
  MetricRegistry registry_;
  HealthBoard board_;
  Log log_;
  HealthEntry checkpoint_health_;
  MemoryBudget budget_;
  SlabPool slabs_;
  OutputRegistry outputs_;
  EventLoop loop_;
  WorkerPool workers_{1};
  std::unique_ptr<CheckpointStore> store_;
  std::unique_ptr<Checkpointer> checkpointer_;
  bool dirty_ = false;
  TimePoint commit_at_{};
  std::vector<std::unique_ptr<SinkUnit>> sinks_;
  ModelRemoteSink* remote_ = nullptr;
  std::unique_ptr<ModelSource> source_;
};

}  // namespace logflume
