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

// With each piece each maker may put one more delivery in a lane, and once more at the end.
std::size_t places_max(const WorkerPool& workers, std::size_t makers) {
  const std::size_t lane = std::max<std::size_t>(Lanes::kOnTheirWay / (1 + makers), 2) - (makers > 0 ? 1 : 0);
  return std::min(2 * workers.threads_max() + 2, lane);
}

}  // namespace

TransformWindow::TransformWindow(std::shared_ptr<const Pipeline> pipeline, MetricRegistry& metrics, Log& log,
                                 WorkerPool& workers, MemoryBudget& budget, Parker& source)
    : pipeline_(std::move(pipeline)),
      books_(*pipeline_, metrics, log),
      workers_(workers),
      budget_(budget),
      source_(source),
      places_max_(places_max(workers, pipeline_->makers().size())),
      gatherings_(*pipeline_),
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
  return count + (pipeline_->makers().empty() ? 0 : make_due(outlets));
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
  if (pipeline_->makers().empty()) {
    place->work->run_in_order();
  } else {
    note_ways(*place, outlets);
    GatheringSet::Sinks sinks;
    for (const Member& member : place->members) sinks.push_back(outlets[member.outlet].sink);
    std::ranges::sort(sinks);
    place->work->run_in_order(&gatherings_, sinks);
  }
  if (!place->again) books_.add(*place->work);
  // Sinks that get the same share it.
  std::vector<std::pair<std::vector<std::size_t>, BatchRef>> made;
  for (Member& member : place->members) {
    const Outlet& outlet = outlets[member.outlet];
    std::vector<std::size_t> frames = pipeline_->frames_of(outlet.sink);
    auto known = std::ranges::find(made, frames, &std::pair<std::vector<std::size_t>, BatchRef>::first);
    if (known == made.end()) {
      BatchRef batch = frames == kAsItIs
                           ? place->batch
                           : BatchRef(as_seen(*place->batch, place->work, frames, !made.empty()));
      known = made.insert(made.end(), {std::move(frames), std::move(batch)});
    }
    const BatchRef& batch = known->second;
    outlet.ledger->charge_more(batch->charged_bytes() - place->batch->charged_bytes());
    outlet.push(batch, member.cursor, place->newest);
    outlet.sink_thread->wake();
  }
  if (!pipeline_->makers().empty()) make_due(outlets);
}

// -- What is gathered -------------------------------------------------------------------------------------

void TransformWindow::note_ways(const Place& place, const std::vector<Outlet>& outlets) {
  for (const Member& member : place.members)
    ways_[outlets[member.outlet].sink] = {member.cursor, place.batch->owed.end, place.batch->seam};
}

TimePoint TransformWindow::deadline(TimePoint now) const {
  if (!places_.empty()) return kNever;  // it goes on when they do
  const std::int64_t due_ns = gatherings_.due_ns();
  if (due_ns == Gathering::kAll) return kNever;
  // The clock that wakes is not the one that it is due by.
  return now + Duration(std::max<std::int64_t>(0, due_ns - wall_now_ns())) + 1ms;
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
  gatherings_.close(Gathering::kAll, [&](std::size_t maker, auto& part) { make(outlets, maker, part); });
  note_memory();
}

void TransformWindow::finish(const std::string& sink, const std::vector<Outlet>& outlets) {
  gatherings_.close(sink, [&](std::size_t maker, auto& part) { make(outlets, maker, part); });
  ways_.erase(sink);
  note_memory();
}

void TransformWindow::take_over(Passage& before) {
  auto* const other = dynamic_cast<TransformWindow*>(&before);
  if (other == nullptr) return;
  gatherings_.take_over(other->gatherings_);
  note_memory();
  ways_ = other->ways_;
}

void TransformWindow::make(const std::vector<Outlet>& outlets, std::size_t maker, GatheringSet::Part& part) {
  const std::shared_ptr<PipelineRun> work = pipeline_->take_run();
  work->make(maker, *part.gathered, part.again, gatherings_, part.sinks);
  if (!part.again) books_.add(*work);
  bool charged = false;
  for (const std::string& sink : part.sinks) {
    const auto outlet = std::ranges::find(outlets, sink, &Outlet::sink);
    const auto way = ways_.find(sink);
    const std::vector<std::size_t> frames = pipeline_->frames_of(sink);
    if (outlet == outlets.end() || way == ways_.end() || work->view(frames).size() == 0) continue;
    Batch* const made = as_seen(*work->batch(), work, frames, std::exchange(charged, true));
    const BatchRef batch(made);
    made->owed = made->in_file = {way->second.to, way->second.to};
    made->text_begin = way->second.to;
    made->seam = way->second.seam;
    outlet->ledger->charge(made->charged_bytes());
    outlet->push(batch, way->second.cursor, /*newest=*/true);
    outlet->sink_thread->wake();
  }
}

// -- What a sink gets -------------------------------------------------------------------------------------

// `charged`: what the run holds is reserved already.
Batch* TransformWindow::as_seen(const Batch& batch, const std::shared_ptr<PipelineRun>& work,
                                const std::vector<std::size_t>& frames, bool charged) {
  auto* const made = new Batch(batch);
  const std::size_t bytes = work->memory_bytes();
  made->view = {work, &work->view(frames)};
  made->filtered_events =
      made->events - static_cast<std::uint32_t>(std::min<std::size_t>(made->events, made->view->size()));
  made->events = static_cast<std::uint32_t>(made->view->size());
  made->overhead_bytes += static_cast<std::uint32_t>(bytes);
  made->charge(budget_, sizeof(Batch) + (charged ? 0 : bytes));
  return made;
}

}  // namespace logflume
