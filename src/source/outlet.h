// A source's end of the way to one sink.
#pragma once

#include <string>

#include "checkpoint/lanes.h"
#include "checkpoint/sink_ledger.h"
#include "ring/parker.h"

namespace logflume {

struct Outlet {
  std::string sink;
  SinkLedger* ledger;
  Lanes* lanes;
  Parker* sink_thread;   // woken after a push
  std::string formerly;  // the sink's name until this reload or start; empty: the same

  // False is backpressure: the sink has its buffer full (its ledger wakes the source when it has room again)
  // ...
  bool buffer_has_room(bool was_full) const {
    return was_full ? ledger->has_room_again() : ledger->has_room();
  }
  // ... or its lane is full (nobody wakes: look again a little later).
  bool lane_has_room() const { return lanes->has_room(false); }
  // The same for lines that have just been written.
  bool has_room_for_live() const { return ledger->has_room_for_live() && lanes->has_room(true); }
};

}  // namespace logflume
