// The way of one source's events through its transforms.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "event/batch.h"
#include "event/frame.h"
#include "transform/plan.h"
#include "transform/transform.h"

namespace logflume {

class GatheringSet;
class MadeEvents;
class PipelineRun;

// Threads:   immutable, but for the runs that it keeps for reuse; any.
// Lifecycle: outlives the source's interest in it; runs keep it alive.
class Pipeline : public std::enable_shared_from_this<Pipeline> {
 public:
  // One transform, for one of the frames that come to it. Frames are numbered: 0 is what the source gives.
  struct Step {
    std::size_t node;
    std::size_t input;
    std::vector<std::size_t> outputs;
    std::vector<bool> read;  // by output: somebody takes what comes out there, or it has done its work
    std::size_t maker = kNoMaker;
  };
  static constexpr std::size_t kNoMaker = SIZE_MAX;
  // A transform that makes events of those that come to all its steps.
  struct Maker {
    std::size_t node;
    std::size_t step;                // the first one: the made events come out there
    std::vector<std::string> sinks;  // that get something of them, in the order of their names
  };

  Pipeline(std::shared_ptr<const TransformPlan> plan, std::string source, StageServices services);
  ~Pipeline();

  const TransformPlan& plan() const { return *plan_; }
  const std::vector<Step>& steps() const { return steps_; }
  const std::vector<Maker>& makers() const { return makers_; }  // each behind those that lead to it
  const std::string& source() const { return source_; }
  std::size_t frames() const { return frames_; }
  // The frames that a sink gets. Just 0: nothing on the way to it.
  std::vector<std::size_t> frames_of(const std::string& sink) const;
  const StageServices& services() const { return services_; }

  // A run that nobody uses, or a new one. It returns by itself when nobody refers to it.
  std::shared_ptr<PipelineRun> take_run() const;

 private:
  std::vector<std::size_t> frames_of(const TransformPlan::Port& port) const;
  void find_makers();

  static constexpr std::size_t kRunsKept = 64;
  const std::shared_ptr<const TransformPlan> plan_;
  const std::string source_;
  const StageServices services_;
  std::vector<Step> steps_;
  std::vector<Maker> makers_;
  std::size_t frames_ = 1;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<PipelineRun>> unused_;  // guarded by mutex_
};

// A batch on its way through, and what came out: the frames live as long as it.
//
// Threads: one at a time until it is done; then immutable, and read by any.
class PipelineRun {
 public:
  // What happened at one step, beside its report.
  struct Count {
    std::uint64_t received_events = 0;
    std::uint64_t received_bytes = 0;
    std::uint64_t sent_events = 0;
    std::uint64_t sent_bytes = 0;
    std::uint64_t created_events = 0;    // that went more than one way, or were made
    std::uint64_t discarded_events = 0;  // on purpose, or into an output that nobody reads
  };

  // Names of sinks, in their order.
  using Sinks = std::vector<std::string>;

  explicit PipelineRun(const Pipeline& pipeline);
  ~PipelineRun();

  // The steps that may be done at any time. `again`: some sink was given these events before.
  void run(BatchRef batch, bool again);
  // The rest. REQUIRES: of the batches of a source, in their order. What the batch is to be gathered in, for
  // those of `sinks`; null where no transform makes events.
  void run_in_order(GatheringSet* gatherings, const Sinks& sinks);
  void run_in_order() { run_in_order(nullptr, {}); }
  // Instead of both: what `gathered` makes of what it has closed, and the steps behind its maker.
  void make(std::size_t maker, Gathering& gathered, bool again, GatheringSet& gatherings, const Sinks& sinks);
  const BatchRef& batch() const { return batch_; }
  const Frame& frame(std::size_t index) const { return frames_[index]; }
  const Count& count(std::size_t step) const { return counts_[step]; }
  const StageReport& report(std::size_t step) const { return reports_[step]; }
  // How long each step takes is noted there, by step, from now on.
  void note_times(std::vector<Duration>* times) { times_ = times; }
  // A view of these frames; it lives as long as the run. REQUIRES: all steps are done.
  const EventView& view(const std::vector<std::size_t>& frames);
  // All that it has allocated.
  std::size_t memory_bytes() const;
  // The batch may go.
  void clear();

 private:
  void run_step(std::size_t index, GatheringSet* gatherings, const Sinks& sinks);

  const Pipeline& pipeline_;
  BatchRef batch_;
  std::unique_ptr<MadeEvents> made_;
  EventIndex lines_;
  std::vector<Frame> frames_;
  std::vector<Frame> outputs_;                  // of a step, while it runs
  std::vector<std::unique_ptr<Stage>> stages_;  // by step
  std::vector<Count> counts_;
  std::vector<StageReport> reports_;
  struct View {
    std::vector<std::size_t> frames;
    EventView view;
  };
  std::vector<std::unique_ptr<View>> views_;
  std::size_t views_used_ = 0;
  std::vector<Duration>* times_ = nullptr;
};

}  // namespace logflume
