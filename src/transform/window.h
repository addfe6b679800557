// Batches of one source on their way through its transforms.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/intrusive_ptr.h"
#include "checkpoint/outlet.h"
#include "event/memory_budget.h"
#include "io/worker_pool.h"
#include "ring/parker.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"
#include "transform/gathering_set.h"
#include "transform/held_events.h"
#include "transform/pipeline.h"

namespace logflume {

// Says of each transform what it did. The counters are the same for all sources.
//
// Threads: one.
class TransformBooks {
 public:
  TransformBooks(const Pipeline& pipeline, MetricRegistry& metrics, Log& log);
  // REQUIRES: all steps of `run` are done.
  void add(const PipelineRun& run);

 private:
  const Pipeline& pipeline_;
  Log& log_;
  std::vector<ComponentMetrics> metrics_;  // by step
};

// A window over the source's batches, in their order: workers, and the source's thread where none has begun,
// take them from it; what is at its front and done goes on to the sinks.
//
//   source ─► [ done | done | running | waiting ] ─► lanes
//               front                    back
//
// What transforms make of events that they have gathered goes on behind the batch with which it was complete,
// or when the clock says so: as a delivery that owes nothing, of the file that the sink was fed last.
//
// An event that was joined of lines of several batches goes on in front of the batch in which it was over, or
// when its file has been quiet: as a delivery that owes its lines.
//
// Threads: the source's, but for Place::run().
class TransformWindow final : public Passage {
 public:
  // What is read of a live file is this small, and not worth a hop to another thread.
  static constexpr std::size_t kInlineBytes = 64 * 1024;

  // Everything outlives the window. `source`: woken when a worker has done something.
  TransformWindow(std::shared_ptr<const Pipeline> pipeline, MetricRegistry& metrics, Log& log,
                  WorkerPool& workers, MemoryBudget& budget, Parker& source);
  ~TransformWindow() override;

  bool has_room() const override { return places_.size() < places_max_; }
  void take(BatchRef batch, std::vector<Member> members, bool again, bool newest) override;
  std::size_t hand_on(const std::vector<Outlet>& outlets) override;
  bool empty() const override { return places_.empty(); }
  bool has_done() const override { return !places_.empty() && places_.front()->done(); }
  void drain(const std::vector<Outlet>& outlets) override;
  TimePoint deadline(TimePoint now) const override;
  void finish(const std::vector<Outlet>& outlets) override;
  void finish(const std::string& sink, const std::vector<Outlet>& outlets) override;
  void take_over(Passage& before) override;
  std::optional<Duration> holds_for() const override { return holds_for_; }
  std::optional<Duration> quiet(const std::vector<Member>& members, Duration quiet,
                                const std::vector<Outlet>& outlets) override;
  bool close_all(const std::vector<Outlet>& outlets) override;

 private:
  struct Place : RefCounted<Place> {
    enum class State { kWaiting, kRunning, kDone };
    // Whoever begins first does it. False: somebody else has begun.
    bool run();
    bool done() const { return state.load(std::memory_order_acquire) == State::kDone; }

    BatchRef batch;
    std::vector<Member> members;
    bool again = false;
    bool newest = false;
    std::shared_ptr<PipelineRun> work;
    std::atomic<State> state{State::kWaiting};
  };
  // What sinks get at one time: what was made of a batch, or an event that was joined.
  struct Part {
    std::shared_ptr<PipelineRun> work;
    BatchRef batch;
    bool whole = false;    // the batch as the source gave it: the members were charged for it
    bool charged = false;  // what the run holds is reserved already
  };
  // One for all members that get the same of it.
  struct Shown {
    std::size_t part;
    std::vector<std::size_t> frames;
    FileRange owed;
    std::size_t owed_bytes;
    BatchRef batch;
  };
  // Up to where a sink was fed last.
  struct Way {
    CursorRef cursor;
    std::uint64_t to = 0;
    Seam seam;
  };
  void hand_on_front(const std::vector<Outlet>& outlets);
  std::vector<Part> run_in_order(const std::shared_ptr<PipelineRun>& work, HeldEvents::Group& group,
                                 const std::vector<Outlet>& outlets);
  template <typename Work>
  void in_surroundings(HeldEvents::Group& group, std::vector<Part>& parts, const std::vector<Outlet>& outlets,
                       const Work& work);
  void join(std::size_t join, OpenEvent event, const PipelineRun::Surroundings& around,
            std::vector<Part>& parts);
  void deliver(std::vector<Part>& parts, HeldEvents::Group group, const HeldEvents::Given* given, bool newest,
               const std::vector<Outlet>& outlets);
  void deliver(std::vector<Part>& parts, std::vector<Shown>& shown, const Member& member,
               const HeldEvents::Owed& owed, bool newest, const std::vector<Outlet>& outlets);
  bool close(const std::vector<Member>& members, Duration quiet, const std::vector<Outlet>& outlets);
  void note_ways(const Place& place, const std::vector<Outlet>& outlets);
  // What is over by now.
  std::size_t make_due(const std::vector<Outlet>& outlets);
  void note_memory();
  void make(const std::vector<Outlet>& outlets, std::size_t maker, GatheringSet::Part& part);
  BatchRef show(Part& part, const std::vector<std::size_t>& frames, FileRange owed, const Seam& seam,
                std::size_t owed_bytes);

  const std::shared_ptr<const Pipeline> pipeline_;
  TransformBooks books_;
  WorkerPool& workers_;
  MemoryBudget& budget_;
  Parker& source_;
  const std::size_t places_max_;
  std::deque<IntrusivePtr<Place>> places_;
  const std::optional<Duration> holds_for_;
  GatheringSet gatherings_;
  HeldEvents held_;
  TimePoint look_for_orphans_ = kNever;
  Reservation gathered_bytes_;
  std::map<std::string, Way> ways_;  // by sink, where events are made
};

}  // namespace logflume
