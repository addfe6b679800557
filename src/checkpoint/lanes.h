// The way of deliveries from one source to one sink: two rings, so that lines which have just been written
// pass by what a file that is behind has put there.
#pragma once

#include <cassert>
#include <cstddef>
#include <optional>
#include <utility>

#include "checkpoint/cursor.h"
#include "ring/spsc_ring.h"

namespace logflume {

// Threads:   push() and has_room() from the source's thread, try_pop_...() and empty() from the sink's;
//            size_approx() from any.
// Invariant: deliveries of one cursor come out in the order in which they went in. A cursor uses the live
// lane
//            only when all that it has in the other one was taken (may_go_live()). The other way round the
//            order comes from the sink, which looks into the live lane after it has seen the other one.
class Lanes {
 public:
  static constexpr std::size_t kBacklogCapacity = 8192;  // deliveries
  static constexpr std::size_t kLiveCapacity = 1024;

  // Pieces that may be on their way to a lane when room is asked for (Passage).
  static constexpr std::size_t kOnTheirWay = 64;

  bool has_room(bool live) const {
    const SpscRing<Delivery>& ring = live ? live_ : backlog_;
    return ring.size_approx() + kOnTheirWay < ring.capacity();
  }
  static bool may_go_live(const Cursor& cursor) { return cursor.taken_offset() >= cursor.backlog_to; }
  // REQUIRES: has_room(live), and may_go_live() of its cursor if `live`.
  void push(Delivery&& delivery, bool live) {
    if (!live) delivery.cursor->backlog_to = delivery.batch->owed.end;
    const bool pushed = (live ? live_ : backlog_).try_push(std::move(delivery));
    assert(pushed);
    (void)pushed;
  }

  // Whether something of the backlog is there. To be asked before try_pop_live().
  bool has_backlog() const { return !backlog_.empty(); }
  std::optional<Delivery> try_pop_live() { return taken(live_.try_pop()); }
  // REQUIRES: has_backlog() was true before the last try_pop_live(), which had nothing.
  std::optional<Delivery> try_pop_backlog() { return taken(backlog_.try_pop()); }
  bool empty() const { return live_.empty() && backlog_.empty(); }

  std::size_t size_approx() const { return live_.size_approx() + backlog_.size_approx(); }
  static constexpr std::size_t capacity() { return kBacklogCapacity + kLiveCapacity; }

 private:
  static std::optional<Delivery> taken(std::optional<Delivery> delivery) {
    if (delivery) delivery->cursor->take_to(delivery->batch->owed.end);
    return delivery;
  }

  SpscRing<Delivery> backlog_{kBacklogCapacity};
  SpscRing<Delivery> live_{kLiveCapacity};
};

}  // namespace logflume
