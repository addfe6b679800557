#include "sink/sink.h"

#include <utility>

namespace logflume {

// -- Inbox ------------------------------------------------------------------------------------------------

SpscRing<Delivery>& Inbox::open() {
  rings_.push_back(std::make_unique<SpscRing<Delivery>>(kRingCapacity));
  return *rings_.back();
}

bool Inbox::try_pop(Delivery& out) {
  for (std::size_t tried = 0; tried < rings_.size(); ++tried) {
    SpscRing<Delivery>& ring = *rings_[next_];
    next_ = next_ + 1 == rings_.size() ? 0 : next_ + 1;
    if (auto delivery = ring.try_pop()) {
      out = std::move(*delivery);
      return true;
    }
  }
  return false;
}

bool Inbox::empty() const {
  for (const auto& ring : rings_) {
    if (!ring->empty()) return false;
  }
  return true;
}

std::size_t Inbox::size_approx() const {
  std::size_t sum = 0;
  for (const auto& ring : rings_) sum += ring->size_approx();
  return sum;
}

// -- Outcome ----------------------------------------------------------------------------------------------

Outcome::Outcome(SinkLedger& ledger, ComponentMetrics& metrics)
    : ledger_(ledger),
      metrics_(metrics),
      latency_(metrics.registry.histogram("logflume_delivery_latency_seconds",
                                          "From the read of an event to its acknowledgement.",
                                          {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                           0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60},
                                          {{"component", metrics.component}})) {}

void Outcome::taken(const Delivery& delivery) {
  const Batch& batch = *delivery.batch;
  metrics_.received_events.add(batch.events);
  metrics_.received_bytes.add(batch.bytes + (batch.unterminated ? 1 : 0));
}

void Outcome::sent(std::uint64_t events, std::uint64_t wire_bytes) {
  metrics_.sent_events.add(events);
  metrics_.sent_bytes.add(wire_bytes);
}

void Outcome::discarded(std::string_view reason, std::uint64_t events) { metrics_.discarded(reason, events); }

void Outcome::finish(Delivery&& delivery) { finished_.push_back(std::move(delivery)); }

void Outcome::flush(std::span<const SinkStateRecord> states) {
  if (finished_.empty() && states.empty()) return;
  const TimePoint now = steady_now();
  for (const Delivery& delivery : finished_) {
    const std::chrono::duration<double> latency = now - delivery.batch->read_at;
    latency_.observe(std::max(latency.count(), 0.0), delivery.batch->events);
  }
  ledger_.acknowledge(finished_, states);
  finished_.clear();
}

}  // namespace logflume
