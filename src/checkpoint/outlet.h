// A source's end of the way to one sink.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
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

  // A piece of a file. `newest`: what it holds was written just now, and no sink has had it. Room was asked
  // for before, in one lane at least, and only this thread fills the lanes; other sources may have filled the
  // sink's buffer since. True when it went the live way.
  bool push(BatchRef batch, const CursorRef& cursor, bool newest) const {
    return push(Delivery{std::move(batch), cursor}, newest);
  }
  bool push(Delivery delivery, bool newest) const {
    const bool live =
        newest && Lanes::may_go_live(*delivery.cursor) && (has_room_for_live() || !lane_has_room());
    lanes->push(std::move(delivery), live);
    return live;
  }
};

// Where pieces of files wait while something is made of them, before they go to the lanes: in the order in
// which they were read.
//
// Threads: the source's.
class Passage {
 public:
  struct Member {
    std::size_t outlet;  // its index
    CursorRef cursor;
  };
  virtual ~Passage() = default;

  // False is backpressure: the source's thread is woken when there is room again.
  virtual bool has_room() const = 0;
  // `again`: some sink was given these events before. `newest`: as Outlet::push().
  // REQUIRES: the bytes are charged to the members' ledgers.
  virtual void take(BatchRef batch, std::vector<Member> members, bool again, bool newest) = 0;
  // What is done goes to the lanes of `outlets`; how many pieces.
  virtual std::size_t hand_on(const std::vector<Outlet>& outlets) = 0;
  virtual bool empty() const = 0;
  // hand_on() would do something.
  virtual bool has_done() const = 0;
  // All that was taken goes to the lanes, whatever it has to wait for.
  virtual void drain(const std::vector<Outlet>& outlets) = 0;

  // -- What is kept back, to be made into other events ----------------------------------------------------
  // hand_on() would do something at this time at the latest.
  virtual TimePoint deadline(TimePoint /*now*/) const { return kNever; }
  // Nothing is kept back any more. After drain(); the outlets are those of the sinks that it is for.
  virtual void finish(const std::vector<Outlet>& /*outlets*/) {}
  // The same for one sink, which is about to go.
  virtual void finish(const std::string& /*sink*/, const std::vector<Outlet>& /*outlets*/) {}
  // What `before` keeps back, and this would too, is this one's. REQUIRES: `before` is drained.
  virtual void take_over(Passage& /*before*/) {}

  // -- What is kept back of a file, to be joined with what follows. It is not acknowledged, and what finish()
  // finds of it is given back: cursors stand before it again -----------------------------------------------
  // What is kept back goes on when its file has been quiet for so long, the shortest time; nothing: nothing
  // is ever kept back.
  virtual std::optional<Duration> holds_for() const { return std::nullopt; }
  // All of a file was read, and nothing was added to it for so long: what has waited long enough goes on, to
  // these members. After what quiet to ask again; nothing: nothing is kept back of it.
  virtual std::optional<Duration> quiet(const std::vector<Member>& /*members*/, Duration /*quiet*/,
                                        const std::vector<Outlet>& /*outlets*/) {
    return std::nullopt;
  }
  // Nothing follows in any file: all of what is kept back goes on. False: not all could, for lack of room.
  virtual bool close_all(const std::vector<Outlet>& /*outlets*/) { return true; }
};

}  // namespace logflume
