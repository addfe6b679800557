// A source's end of the way to one sink.
#pragma once

#include <string>

#include "checkpoint/sink_ledger.h"
#include "ring/parker.h"
#include "ring/spsc_ring.h"

namespace logflume {

struct Outlet {
  std::string sink;
  SinkLedger& ledger;
  SpscRing<Delivery>& ring;
  Parker& sink_thread;  // woken after a push

  // False is backpressure: the sink has its buffer full (its ledger wakes the source when it has room again)
  // ...
  bool buffer_has_room(bool was_full) const { return was_full ? ledger.has_room_again() : ledger.has_room(); }
  // ... or its ring is full (nobody wakes: look again a little later).
  bool ring_has_room() const { return ring.size_approx() < ring.capacity(); }
};

}  // namespace logflume
