#include "sink/sink.h"

#include <utility>

namespace logflume {

// -- Inbox ------------------------------------------------------------------------------------------------

Lanes& Inbox::open(const std::string& source) {
  for (Way& way : ways_) {
    if (way.source != source) continue;
    way.closed = false;
    return *way.lanes;
  }
  const std::lock_guard lock(mutex_);
  return *ways_.emplace_back(Way{source, std::make_unique<Lanes>(), false}).lanes;
}

void Inbox::close(const std::string& source) {
  for (Way& way : ways_) {
    if (way.source == source) way.closed = some_closed_ = true;
  }
  sweep();
}

void Inbox::sweep() {
  const std::lock_guard lock(mutex_);
  std::erase_if(ways_, [](const Way& way) { return way.closed && way.lanes->empty(); });
  some_closed_ = std::any_of(ways_.begin(), ways_.end(), [](const Way& way) { return way.closed; });
}

void Inbox::rename(const std::string& source, const std::string& to) {
  for (Way& way : ways_) {
    if (way.source == source) way.source = to;
  }
}

bool Inbox::try_pop(Delivery& out) {
  std::optional<std::size_t> with_backlog;
  for (std::size_t i = 0; i < ways_.size(); ++i) {
    const std::size_t index = (next_ + i) % ways_.size();
    Lanes& lanes = *ways_[index].lanes;
    const bool has_backlog = lanes.has_backlog();  // before the live lane: see Lanes
    if (auto delivery = lanes.try_pop_live()) {
      out = std::move(*delivery);
      return true;
    }
    if (has_backlog && !with_backlog) with_backlog = index;
  }
  if (!with_backlog) {
    if (some_closed_) sweep();
    return false;
  }
  next_ = *with_backlog + 1;
  out = std::move(*ways_[*with_backlog].lanes->try_pop_backlog());
  return true;
}

bool Inbox::empty() const {
  return std::all_of(ways_.begin(), ways_.end(), [](const Way& way) { return way.lanes->empty(); });
}

std::size_t Inbox::size_approx() const {
  const std::lock_guard lock(mutex_);
  std::size_t sum = 0;
  for (const Way& way : ways_) sum += way.lanes->size_approx();
  return sum;
}

std::size_t Inbox::capacity() const {
  const std::lock_guard lock(mutex_);
  return ways_.size() * Lanes::capacity();
}

// -- Outcome ----------------------------------------------------------------------------------------------

namespace {

// What of `count` is new; the rest is taken off `again`.
std::uint64_t beyond(std::uint64_t count, std::uint64_t& again) {
  const std::uint64_t known = std::min(count, again);
  again -= known;
  return count - known;
}

// Plain arithmetic: a gauge of the sink's has one writer.
void grow(Gauge& gauge, std::uint64_t count) { gauge.set(gauge.value() + static_cast<double>(count)); }
void shrink(Gauge& gauge, std::uint64_t count) {
  gauge.set(std::max(gauge.value() - static_cast<double>(count), 0.0));
}

}  // namespace

Outcome::Outcome(AckTarget& target, ComponentMetrics& metrics)
    : target_(target),
      metrics_(metrics),
      latency_(metrics.registry.histogram("logflume_delivery_latency_seconds",
                                          "From the read of an event to its acknowledgement.",
                                          {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                           0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60},
                                          {{"component", metrics.component}})),
      batch_events_(metrics.registry.histogram(
          "logflume_batch_events", "Events that were delivered together.",
          {1, 10, 100, 1'000, 10'000, 100'000}, {{"component", metrics.component}})),
      batch_bytes_(metrics.registry.histogram(
          "logflume_batch_bytes", "Bytes that were delivered together, before compression.",
          {1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24},
          {{"component", metrics.component}})),
      pending_events_(metrics.registry.gauge("logflume_component_pending_events",
                                             "Events that were received and neither sent nor discarded yet.",
                                             {{"component", metrics.component}})),
      pending_bytes_(metrics.registry.gauge("logflume_component_pending_bytes",
                                            "Bytes of events that were received and are not done with.",
                                            {{"component", metrics.component}})),
      again_events_(static_cast<std::uint64_t>(pending_events_.value())),
      again_bytes_(static_cast<std::uint64_t>(pending_bytes_.value())) {}

void Outcome::taken(const Delivery& delivery) {
  const Batch& batch = *delivery.batch;
  const std::uint64_t events = beyond(batch.events, again_events_);
  const std::uint64_t bytes = beyond(batch.event_bytes(), again_bytes_);
  metrics_.received_events.add(events);
  metrics_.received_bytes.add(bytes);
  grow(pending_events_, events);
  grow(pending_bytes_, bytes);
}

void Outcome::sent(std::uint64_t events, std::uint64_t wire_bytes) {
  if (events == 0) return;
  metrics_.sent_events.add(events);
  metrics_.sent_bytes.add(wire_bytes);
  batch_events_.observe(static_cast<double>(events));
  batch_bytes_.observe(static_cast<double>(wire_bytes));
  shrink(pending_events_, events);
}

void Outcome::discarded(std::string_view reason, const Delivery& delivery, FileRange range,
                        std::uint64_t events) {
  metrics_.discarded(reason, events);
  // Of made events no file has anything.
  if (!delivery.batch->made)
    target_.discard(*delivery.cursor, {delivery.batch->owed, range, std::string(reason), events});
  shrink(pending_events_, events);
}

void Outcome::finish(Delivery&& delivery) {
  shrink(pending_bytes_, delivery.batch->event_bytes());
  finished_.push_back(std::move(delivery));
}

void Outcome::flush(std::span<const SinkStateRecord> states) {
  if (finished_.empty() && states.empty()) return;
  const TimePoint now = steady_now();
  for (const Delivery& delivery : finished_) {
    const std::chrono::duration<double> latency = now - delivery.batch->read_at;
    latency_.observe(std::max(latency.count(), 0.0), delivery.batch->events);
  }
  target_.acknowledge(finished_, states);
  finished_.clear();
}

}  // namespace logflume
