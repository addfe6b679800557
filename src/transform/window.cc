#include "transform/window.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace logflume {
namespace {

// What a sink gets behind no transform.
const std::vector<std::size_t> kAsItIs{0};

}  // namespace

TransformBooks::TransformBooks(const Pipeline& pipeline, MetricRegistry& metrics, Log& log)
    : pipeline_(pipeline), log_(log) {
  for (const Pipeline::Step& step : pipeline.steps())
    metrics_.emplace_back(metrics, pipeline.plan().nodes()[step.node].name);
}

void TransformBooks::add(const PipelineRun& run) {
  for (std::size_t i = 0; i < metrics_.size(); ++i) {
    ComponentMetrics& metrics = metrics_[i];
    const PipelineRun::Count& count = run.count(i);
    if (count.received_events == 0 && count.created_events == 0) continue;
    metrics.received_events.add(count.received_events);
    metrics.received_bytes.add(count.received_bytes);
    metrics.sent_events.add(count.sent_events);
    metrics.sent_bytes.add(count.sent_bytes);
    const StageReport& report = run.report(i);
    const std::string& name = pipeline_.plan().nodes()[pipeline_.steps()[i].node].name;
    if (count.discarded_events > 0) metrics.discarded(name, count.discarded_events);
    if (count.created_events > 0) metrics.created(count.created_events);
    for (const auto& [reason, events] : report.errors) metrics.error(reason, events);
    for (const auto& [what, findings] : report.findings) {
      metrics.registry
          .counter("logflume_redacted_total", "Findings that a transform has written over, by detector.",
                   {{"component", name}, {"detector", std::string(what)}})
          .add(findings);
    }
    if (report.sample_reason.empty()) continue;
    constexpr std::size_t kSampleBytes = 200;
    log_.limited(LogLevel::kWarn, name, report.sample_reason,
                 fmt::format("{}, as in: {}", report.sample_reason, report.sample.substr(0, kSampleBytes)));
  }
}

// -- Window -----------------------------------------------------------------------------------------------

bool TransformWindow::Place::run() {
  State expected = State::kWaiting;
  // Acquire and release: whoever is given the run after this one sees what it left.
  if (!state.compare_exchange_strong(expected, State::kRunning, std::memory_order_acq_rel)) return false;
  work->run(batch, again);
  state.store(State::kDone, std::memory_order_release);  // pairs with done()
  return true;
}

namespace {

// With each piece each maker may put one more delivery in a lane, and each step that joins lines, and once
// more at the end.
std::size_t places_max(const WorkerPool& workers, const Pipeline& pipeline) {
  const std::size_t more = pipeline.makers().size() + pipeline.joins().size();
  const std::size_t lane = std::max<std::size_t>(Lanes::kOnTheirWay / (1 + more), 2) - (more > 0 ? 1 : 0);
  return std::min(2 * workers.threads_max() + 2, lane);
}

std::optional<Duration> shortest_timeout(const Pipeline& pipeline) {
  std::optional<Duration> shortest;
  for (const Pipeline::Join& join : pipeline.joins())
    shortest = std::min(shortest.value_or(join.timeout), join.timeout);
  return shortest;
}

// Whose file was given up must not wait for ever.
constexpr Duration kOrphanCheck = 5s;

}  // namespace

TransformWindow::TransformWindow(std::shared_ptr<const Pipeline> pipeline, MetricRegistry& metrics, Log& log,
                                 WorkerPool& workers, MemoryBudget& budget, Parker& source)
    : pipeline_(std::move(pipeline)),
      books_(*pipeline_, metrics, log),
      workers_(workers),
      budget_(budget),
      source_(source),
      places_max_(places_max(workers, *pipeline_)),
      holds_for_(shortest_timeout(*pipeline_)),
      gatherings_(*pipeline_),
      held_(*pipeline_, budget),
      gathered_bytes_(budget) {}

TransformWindow::~TransformWindow() {
  // A worker that runs one has the source's parker.
  for (const auto& place : places_) {
    if (!place->run()) {
      while (!place->done()) std::this_thread::yield();
    }
  }
}

void TransformWindow::take(BatchRef batch, std::vector<Member> members, bool again, bool newest) {
  const IntrusivePtr<Place> place(new Place);
  place->batch = std::move(batch);
  place->members = std::move(members);
  place->again = again;
  place->newest = newest;
  place->work = pipeline_->take_run();
  const bool at_once = places_.empty() && place->batch->bytes <= kInlineBytes;
  places_.push_back(place);
  if (at_once) {
    place->run();
    return;
  }
  workers_.submit([place, &source = source_] {
    if (place->run()) source.wake();
  });
}

std::size_t TransformWindow::hand_on(const std::vector<Outlet>& outlets) {
  std::size_t count = 0;
  // With nothing to read the source's thread may as well do what no worker has begun.
  if (!has_room() && !places_.front()->done()) (void)places_.front()->run();
  for (; !places_.empty() && places_.front()->done(); ++count) hand_on_front(outlets);
  count += pipeline_->makers().empty() ? 0 : make_due(outlets);
  if (held_.empty() || steady_now() < look_for_orphans_) return count;
  for (const std::vector<Member>& members : held_.members(outlets, /*orphans=*/true)) {
    if (close(members, Duration::max(), outlets)) ++count;
  }
  look_for_orphans_ = held_.empty() ? kNever : steady_now() + kOrphanCheck;
  return count;
}

void TransformWindow::drain(const std::vector<Outlet>& outlets) {
  while (!places_.empty()) {
    if (!places_.front()->run()) {
      while (!places_.front()->done()) std::this_thread::yield();
    }
    hand_on_front(outlets);
  }
}

void TransformWindow::hand_on_front(const std::vector<Outlet>& outlets) {
  const IntrusivePtr<Place> place = std::move(places_.front());
  places_.pop_front();
  if (!pipeline_->makers().empty()) note_ways(*place, outlets);
  const Batch& batch = *place->batch;
  const HeldEvents::Given given{batch.owed, batch.seam_before, batch.seam, batch.owed.bytes() - batch.bytes};
  std::shared_ptr<PipelineRun> work = place->work;
  for (HeldEvents::Group& group : held_.take(place->members)) {
    if (!work) {
      // Of what others were given before: these lines mean something else to those.
      work = pipeline_->take_run();
      work->run(place->batch, /*again=*/true);
    }
    const bool counts = !place->again && work == place->work;
    std::vector<Part> parts = run_in_order(work, group, outlets);
    if (counts) books_.add(*work);
    parts.push_back({std::move(work), place->batch, /*whole=*/true});
    work = nullptr;
    deliver(parts, std::move(group), &given, place->newest, outlets);
  }
  if (held_.too_much()) (void)close(place->members, Duration::max(), outlets);
  if (!held_.empty() && look_for_orphans_ == kNever) look_for_orphans_ = steady_now() + kOrphanCheck;
  if (!pipeline_->makers().empty()) make_due(outlets);
}

// The steps that go by the order, and what these have joined.
std::vector<TransformWindow::Part> TransformWindow::run_in_order(const std::shared_ptr<PipelineRun>& work,
                                                                 HeldEvents::Group& group,
                                                                 const std::vector<Outlet>& outlets) {
  std::vector<Part> parts;
  if (pipeline_->makers().empty() && pipeline_->joins().empty()) {
    work->run_in_order();
    return parts;
  }
  in_surroundings(group, parts, outlets,
                  [&](const PipelineRun::Surroundings& around) { work->run_in_order(around); });
  return parts;
}

// What becomes of events that are over goes to `parts`.
template <typename Work>
void TransformWindow::in_surroundings(HeldEvents::Group& group, std::vector<Part>& parts,
                                      const std::vector<Outlet>& outlets, const Work& work) {
  GatheringSet::Sinks sinks;
  for (const Member& member : group.members) sinks.push_back(outlets[member.outlet].sink);
  std::ranges::sort(sinks);
  PipelineRun::Surroundings around{&gatherings_, &sinks, &group.open};
  around.closed = [&](std::size_t join, OpenEvent event) {
    this->join(join, std::move(event), around, parts);
  };
  work(around);
}

// Events that it completes for the next step of the kind stand before it.
void TransformWindow::join(std::size_t join, OpenEvent event, const PipelineRun::Surroundings& around,
                           std::vector<Part>& parts) {
  const std::shared_ptr<PipelineRun> work = pipeline_->take_run();
  const bool again = event.again;
  work->join(join, std::move(event), around);
  if (!again) books_.add(*work);
  parts.push_back({work, work->batch()});
}

void TransformWindow::deliver(std::vector<Part>& parts, HeldEvents::Group group,
                              const HeldEvents::Given* given, bool newest,
                              const std::vector<Outlet>& outlets) {
  std::vector<Shown> shown;
  const bool closes = !parts.back().whole;
  for (const Member& member : group.members) {
    if (closes && !held_.holds(*member.cursor)) continue;
    deliver(parts, shown, member, held_.settle(member, outlets[member.outlet].sink, group.open, given),
            newest, outlets);
  }
  held_.keep(std::move(group));
}

// Each part owes up to where it ends, the last one the rest.
void TransformWindow::deliver(std::vector<Part>& parts, std::vector<Shown>& shown, const Member& member,
                              const HeldEvents::Owed& owed, bool newest, const std::vector<Outlet>& outlets) {
  const Outlet& outlet = outlets[member.outlet];
  const std::vector<std::size_t> frames = pipeline_->frames_of(outlet.sink);
  std::vector<std::size_t> pieces;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].whole || parts[i].work->view(frames).size() > 0) pieces.push_back(i);
  }
  std::vector<Delivery> deliveries;
  std::uint64_t begin = owed.range.begin;
  std::uint64_t skipped = owed.skipped_bytes;
  bool alone = owed.together == nullptr;
  for (const std::size_t piece : pieces) {
    Part& part = parts[piece];
    const bool last = piece == pieces.back();
    const std::uint64_t end =
        last ? owed.range.end : std::clamp(part.batch->in_file.end, begin, owed.range.end);
    const FileRange range{begin, end};
    const std::size_t owed_bytes = range.bytes() - std::min(skipped, range.bytes());
    skipped -= range.bytes() - owed_bytes;
    begin = end;
    auto known = std::ranges::find_if(shown, [&](const Shown& one) {
      return one.part == piece && one.frames == frames && one.owed.begin == range.begin &&
             one.owed.end == range.end && one.owed_bytes == owed_bytes;
    });
    if (known == shown.end()) {
      shown.push_back(
          {piece, frames, range, owed_bytes,
           show(part, frames, range, end == owed.range.end ? owed.seam : part.batch->seam, owed_bytes)});
      known = shown.end() - 1;
    }
    const BatchRef& batch = known->batch;
    if (part.whole) {
      outlet.ledger->charge_more(batch->charged_bytes() - part.batch->charged_bytes());
    } else {
      outlet.ledger->charge(batch->charged_bytes());
    }
    alone = alone && (range.bytes() > 0 || batch->events == 0);
    deliveries.push_back({batch, member.cursor});
  }
  if (deliveries.empty()) {  // steps behind have left nothing of it
    auto* const nothing = new Batch;
    const BatchRef batch(nothing);
    nothing->owed = nothing->in_file = owed.range;
    nothing->seam = owed.seam;
    nothing->owed_bytes = owed.range.bytes() - owed.skipped_bytes;
    outlet.ledger->charge(0);
    deliveries.push_back({batch, member.cursor});
  }
  if (!alone) {
    IntrusivePtr<OwedTogether> together = owed.together;
    if (!together || !outlet.ledger->add_to(*together, deliveries.size()))
      together = IntrusivePtr<OwedTogether>(new OwedTogether(deliveries.size()));
    for (Delivery& delivery : deliveries) delivery.together = together;
    if (owed.range.bytes() == 0) held_.owes_with(*member.cursor, std::move(together));
  }
  for (Delivery& delivery : deliveries) {
    // A sink would have nothing to do with it.
    if (!pipeline_->joins().empty() && delivery.batch->events == 0) {
      outlet.ledger->acknowledge({&delivery, 1});
    } else {
      outlet.push(std::move(delivery), newest);
      outlet.sink_thread->wake();
    }
  }
}

// -- What is kept back of files ---------------------------------------------------------------------------

std::optional<Duration> TransformWindow::quiet(const std::vector<Member>& members, Duration quiet,
                                               const std::vector<Outlet>& outlets) {
  if (!holds_for_ || quiet < *holds_for_) return holds_for_;
  drain(outlets);
  std::vector<Member> held;
  for (const Member& member : members) {
    if (held_.holds(*member.cursor)) held.push_back(member);
  }
  if (held.empty()) return std::nullopt;
  constexpr Duration kRoomRetry = 10ms;
  if (!close(held, quiet, outlets)) return quiet + kRoomRetry;
  std::optional<Duration> next;
  for (const Member& member : held) {
    if (!held_.holds(*member.cursor)) continue;
    for (const Pipeline::Join& join : pipeline_->joins()) {
      if (join.timeout > quiet) next = std::min(next.value_or(join.timeout), join.timeout);
    }
  }
  return next;
}

bool TransformWindow::close_all(const std::vector<Outlet>& outlets) {
  drain(outlets);
  for (const std::vector<Member>& members : held_.members(outlets, /*orphans=*/false)) {
    if (!close(members, Duration::max(), outlets)) return false;
  }
  return true;
}

// What is open of their file for these, and waits no longer than `quiet`, goes on. False: there is no room.
bool TransformWindow::close(const std::vector<Member>& members, Duration quiet,
                            const std::vector<Outlet>& outlets) {
  for (const Member& member : members) {
    if (!outlets[member.outlet].lane_has_room()) return false;
  }
  for (HeldEvents::Group& group : held_.take(members)) {
    std::vector<Part> parts;
    in_surroundings(group, parts, outlets,
                    [&](const PipelineRun::Surroundings& around) { pipeline_->close(around, quiet); });
    if (parts.empty()) {
      held_.keep(std::move(group));
    } else {
      deliver(parts, std::move(group), nullptr, /*newest=*/true, outlets);
    }
  }
  return true;
}

// -- What is gathered -------------------------------------------------------------------------------------

void TransformWindow::note_ways(const Place& place, const std::vector<Outlet>& outlets) {
  for (const Member& member : place.members)
    ways_[outlets[member.outlet].sink] = {member.cursor, place.batch->owed.end, place.batch->seam};
}

TimePoint TransformWindow::deadline(TimePoint now) const {
  if (!places_.empty()) return kNever;  // it goes on when they do
  const TimePoint look_at = held_.empty() ? kNever : look_for_orphans_;
  const std::int64_t due_ns = gatherings_.due_ns();
  if (due_ns == Gathering::kAll) return look_at;
  // The clock that wakes is not the one that it is due by.
  return std::min(look_at, now + Duration(std::max<std::int64_t>(0, due_ns - wall_now_ns())) + 1ms);
}

std::size_t TransformWindow::make_due(const std::vector<Outlet>& outlets) {
  std::size_t count = 0;
  const std::int64_t due_ns = gatherings_.due_ns();
  if (due_ns != Gathering::kAll) {
    // What waits here belongs to the time when it was read.
    const std::int64_t now_ns = places_.empty() ? wall_now_ns() : places_.front()->batch->wall_ns;
    if (due_ns <= now_ns) {
      gatherings_.close(now_ns, [&](std::size_t maker, auto& part) {
        make(outlets, maker, part);
        ++count;
      });
    }
  }
  note_memory();
  return count;
}

void TransformWindow::note_memory() {
  const std::size_t bytes = gatherings_.memory_bytes();
  gathered_bytes_.grow(bytes);
  gathered_bytes_.shrink(bytes);
}

void TransformWindow::finish(const std::vector<Outlet>& outlets) {
  held_.give_back();
  gatherings_.close(Gathering::kAll, [&](std::size_t maker, auto& part) { make(outlets, maker, part); });
  note_memory();
}

void TransformWindow::finish(const std::string& sink, const std::vector<Outlet>& outlets) {
  held_.give_back(sink);
  gatherings_.close(sink, [&](std::size_t maker, auto& part) { make(outlets, maker, part); });
  ways_.erase(sink);
  note_memory();
}

void TransformWindow::take_over(Passage& before) {
  auto* const other = dynamic_cast<TransformWindow*>(&before);
  if (other == nullptr) return;
  gatherings_.take_over(other->gatherings_);
  held_.take_over(other->held_);
  if (!held_.empty()) look_for_orphans_ = steady_now() + kOrphanCheck;
  note_memory();
  ways_ = other->ways_;
}

void TransformWindow::make(const std::vector<Outlet>& outlets, std::size_t maker, GatheringSet::Part& part) {
  const std::shared_ptr<PipelineRun> work = pipeline_->take_run();
  work->make(maker, *part.gathered, part.again, {&gatherings_, &part.sinks});
  if (!part.again) books_.add(*work);
  Part shown{work, work->batch()};
  for (const std::string& sink : part.sinks) {
    const auto outlet = std::ranges::find(outlets, sink, &Outlet::sink);
    const auto way = ways_.find(sink);
    const std::vector<std::size_t> frames = pipeline_->frames_of(sink);
    if (outlet == outlets.end() || way == ways_.end() || work->view(frames).size() == 0) continue;
    BatchRef batch = show(shown, frames, {way->second.to, way->second.to}, way->second.seam, 0);
    outlet->ledger->charge(batch->charged_bytes());
    outlet->push(std::move(batch), way->second.cursor, /*newest=*/true);
    outlet->sink_thread->wake();
  }
}

// -- What a sink gets -------------------------------------------------------------------------------------

BatchRef TransformWindow::show(Part& part, const std::vector<std::size_t>& frames, FileRange owed,
                               const Seam& seam, std::size_t owed_bytes) {
  if (part.whole && frames == kAsItIs) return part.batch;
  auto* const made = new Batch(*part.batch);
  BatchRef shown(made);
  const std::size_t bytes = part.work->memory_bytes();
  made->view = {part.work, &part.work->view(frames)};
  made->filtered_events =
      made->events - static_cast<std::uint32_t>(std::min<std::size_t>(made->events, made->view->size()));
  made->events = static_cast<std::uint32_t>(made->view->size());
  made->overhead_bytes += static_cast<std::uint32_t>(bytes);
  made->owed = owed;
  made->seam = seam;
  made->owed_bytes = owed_bytes;
  if (made->made) {
    made->in_file = owed;
    made->text_begin = owed.begin;
  }
  made->charge(budget_, sizeof(Batch) + (std::exchange(part.charged, true) ? 0 : bytes));
  return shown;
}

}  // namespace logflume
