// The way of one source's events through its transforms.
#pragma once

#include <cstddef>
#include <functional>
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
class JoinedEvent;
class MadeEvents;
class PipelineRun;
struct OpenEvent;
struct OpenEvents;

// What steps that go by the order have to do with beside the batch.
struct RunSurroundings {
  using Sinks = std::vector<std::string>;  // by their names, in order

  GatheringSet* gatherings = nullptr;  // what the batch is to be gathered in; null where nothing gathers
  const Sinks* sinks = nullptr;        // for those of them
  OpenEvents* open = nullptr;          // of its file, for all of `sinks`; null where nothing is joined
  // What is to become of an event that was open and is over: before any step behind the one that joined it.
  std::function<void(std::size_t join, OpenEvent event)> closed = {};
};

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
    std::size_t maker = kNone;
    std::size_t join = kNone;
  };
  static constexpr std::size_t kNone = SIZE_MAX;
  // A transform that makes events of those that come to all its steps.
  struct Maker {
    std::size_t node;
    std::size_t step;                // the first one: the made events come out there
    std::vector<std::string> sinks;  // that get something of them, in the order of their names
  };
  // A step that joins lines to events.
  struct Join {
    std::size_t step;
    Duration timeout;                // an event that no line follows for so long is over
    std::vector<std::string> sinks;  // that get something of these events, in the order of their names
  };

  Pipeline(std::shared_ptr<const TransformPlan> plan, std::string source, StageServices services);
  ~Pipeline();

  const TransformPlan& plan() const { return *plan_; }
  const std::vector<Step>& steps() const { return steps_; }
  const std::vector<Maker>& makers() const { return makers_; }  // each behind those that lead to it
  const std::vector<Join>& joins() const { return joins_; }
  // What is open and waits no longer than `quiet` is over, in the order of the steps: what one has joined may
  // come to the next.
  void close(const RunSurroundings& around, Duration quiet) const;
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
  void find_joins();
  std::vector<std::string> sinks_behind(std::size_t step, std::size_t output) const;

  static constexpr std::size_t kRunsKept = 64;
  const std::shared_ptr<const TransformPlan> plan_;
  const std::string source_;
  const StageServices services_;
  std::vector<Step> steps_;
  std::vector<Maker> makers_;
  std::vector<Join> joins_;
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

  using Sinks = RunSurroundings::Sinks;
  using Surroundings = RunSurroundings;

  explicit PipelineRun(const Pipeline& pipeline);
  ~PipelineRun();

  // The steps that may be done at any time. `again`: some sink was given these events before.
  void run(BatchRef batch, bool again);
  // The rest. REQUIRES: of the batches of a source, in their order.
  void run_in_order(const Surroundings& around);
  void run_in_order() { run_in_order({}); }
  // Instead of both: what `gathered` makes of what it has closed, and the steps behind its maker.
  void make(std::size_t maker, Gathering& gathered, bool again, const Surroundings& around);
  // The same with an event that is over.
  void join(std::size_t join, OpenEvent event, const Surroundings& around);
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
  void begin_from(std::size_t step, std::size_t output, const BatchRef& batch, const Frame& frame);
  void run_behind(std::size_t step, std::size_t output, const Surroundings& around);
  void run_step(std::size_t index, const Surroundings& around);

  const Pipeline& pipeline_;
  BatchRef batch_;
  std::unique_ptr<MadeEvents> made_;
  std::unique_ptr<JoinedEvent> joined_;
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
