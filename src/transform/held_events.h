// What is kept back of files, to be joined with what follows, and what their sinks owe meanwhile.
//
//   file            ....|line line LINE|line line line LINE|line line
//   batches             [              )[                  )
//   a sink owes          [--------)                            up to the line that begins an open event
//                                 [---------------)            ... and with the next batch what was kept back
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "checkpoint/outlet.h"
#include "event/memory_budget.h"
#include "transform/open_event.h"
#include "transform/pipeline.h"

namespace logflume {

// A sink that begins again where its deliveries owed last gets whole events: that is where one begins. Where
// several steps join lines on the way to it, events that are over may have lines behind that place: they come
// again.
//
// Threads: the source's.
class HeldEvents {
 public:
  using Member = Passage::Member;
  // Sinks that were given the same lines of a file.
  struct Group {
    std::vector<Member> members;
    OpenEvents open;
  };
  // What a sink is to owe now.
  struct Owed {
    FileRange range;
    Seam seam;                                 // the bytes before its end
    std::uint64_t skipped_bytes = 0;           // of the range, that are no text
    IntrusivePtr<OwedTogether> together = {};  // with what was delivered without owing anything; null: alone
  };
  // A piece of a file that a sink was given.
  struct Given {
    FileRange range;
    Seam before;
    Seam seam;
    std::uint64_t skipped_bytes = 0;
  };

  // The pipeline outlives it.
  HeldEvents(const Pipeline& pipeline, MemoryBudget& budget);

  bool empty() const { return ways_.empty(); }
  // Takes out what is open for these cursors of one file.
  std::vector<Group> take(const std::vector<Member>& members);
  // Keeps what is open now for all members.
  void keep(Group group);
  // What a sink owes when `open` is what is kept back for it. `given`: what it has been given beside; null:
  // nothing.
  Owed settle(const Member& member, const std::string& sink, const OpenEvents& open, const Given* given);
  // What it gets next owes together with `together`. REQUIRES: something is kept back for it.
  void owes_with(const Cursor& cursor, IntrusivePtr<OwedTogether> together);

  bool holds(const Cursor& cursor) const { return ways_.contains(&cursor); }
  // Members for whom something is kept back, those of a file one behind the other. `orphans`: only those
  // whose file nobody reads any more. Those of sinks that have gone are forgotten.
  std::vector<std::vector<Member>> members(const std::vector<Outlet>& outlets, bool orphans);
  // More than is good: what is open is to be over soon.
  bool too_much() const;

  // Nothing is kept back for this sink, or any (empty): what it was given it is given again.
  void give_back(const std::string& sink = {});
  // What is open in steps of transforms that are in both, for sinks that are.
  void take_over(HeldEvents& before);

 private:
  struct Kept {
    Kept(OpenEvents events, MemoryBudget& budget) : open(std::move(events)), bytes(budget) {}
    OpenEvents open;
    Reservation bytes;
  };
  // Of a cursor for which something is kept back.
  struct Way {
    CursorRef cursor;
    std::string sink;
    std::shared_ptr<Kept> kept;  // shared by those who were given the same; null while it is taken out
    std::uint64_t owed_to = 0;
    Seam seam;  // the bytes before it
    std::uint64_t given_to = 0;
    Seam given_seam;
    std::uint64_t skipped_bytes = 0;  // behind owed_to
    IntrusivePtr<OwedTogether> together;
  };
  std::shared_ptr<Kept> keep(OpenEvents open);
  std::vector<std::size_t> joins_in(const Pipeline& before) const;

  const Pipeline& pipeline_;
  MemoryBudget memory_;
  std::unordered_map<const Cursor*, Way> ways_;  // goes before memory_
};

}  // namespace logflume
