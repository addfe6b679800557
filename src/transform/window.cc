#include "transform/window.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace logflume {

TransformBooks::TransformBooks(const Pipeline& pipeline, MetricRegistry& metrics, Log& log)
    : pipeline_(pipeline), log_(log) {
  for (const Pipeline::Step& step : pipeline.steps())
    metrics_.emplace_back(metrics, pipeline.plan().nodes()[step.node].name);
}

void TransformBooks::add(const PipelineRun& run) {
  for (std::size_t i = 0; i < metrics_.size(); ++i) {
    ComponentMetrics& metrics = metrics_[i];
    const PipelineRun::Count& count = run.count(i);
    if (count.received_events == 0) continue;
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

TransformWindow::TransformWindow(std::shared_ptr<const Pipeline> pipeline, MetricRegistry& metrics, Log& log,
                                 WorkerPool& workers, MemoryBudget& budget, Parker& source)
    : pipeline_(std::move(pipeline)),
      books_(*pipeline_, metrics, log),
      workers_(workers),
      budget_(budget),
      source_(source),
      places_max_(std::min(2 * workers.threads_max() + 2, Lanes::kOnTheirWay)) {}

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
  place->work->run_in_order();
  if (!place->again) books_.add(*place->work);
  // Sinks that get the same share it.
  std::vector<std::pair<std::vector<std::size_t>, BatchRef>> made;
  for (Member& member : place->members) {
    const Outlet& outlet = outlets[member.outlet];
    std::vector<std::size_t> frames = pipeline_->frames_of(outlet.sink);
    auto known = std::ranges::find(made, frames, &std::pair<std::vector<std::size_t>, BatchRef>::first);
    if (known == made.end()) {
      BatchRef batch = made_of(*place, frames, !made.empty());
      known = made.insert(made.end(), {std::move(frames), std::move(batch)});
    }
    const BatchRef& batch = known->second;
    outlet.ledger->charge_more(batch->charged_bytes() - place->batch->charged_bytes());
    outlet.push(batch, member.cursor, place->newest);
    outlet.sink_thread->wake();
  }
}

// The batch as a sink gets it. `charged`: what the run holds is reserved already.
BatchRef TransformWindow::made_of(Place& place, const std::vector<std::size_t>& frames, bool charged) {
  if (frames.size() == 1 && frames[0] == 0) return place.batch;
  auto* const made = new Batch(*place.batch);
  const BatchRef batch(made);
  const std::size_t bytes = place.work->memory_bytes();
  made->view = {place.work, &place.work->view(frames)};
  made->filtered_events =
      made->events - static_cast<std::uint32_t>(std::min<std::size_t>(made->events, made->view->size()));
  made->events = static_cast<std::uint32_t>(made->view->size());
  made->overhead_bytes += static_cast<std::uint32_t>(bytes);
  made->charge(budget_, sizeof(Batch) + (charged ? 0 : bytes));
  return batch;
}

}  // namespace logflume
