// One sink's place in one file: what it was fed and what it has acknowledged.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "checkpoint/checkpoint_store.h"
#include "event/batch.h"

namespace logflume {

class SinkLedger;

// Of the bytes before the low-watermark: where the sink came in, and what it has delivered since. Counted
// from the batches, not from the offset, so that an audit has two numbers to compare.
struct CursorAccount {
  std::uint64_t begin = 0;
  std::uint64_t delivered_bytes = 0;
  std::uint64_t delivered_events = 0;
};

// What several deliveries of a cursor owe together: none of it is acknowledged before the last one of them
// is. A delivery needs that whose events do not stand in the bytes that it owes itself.
//
// Threads: made by the source, then guarded by the ledger that the cursor belongs to.
class OwedTogether : public RefCounted<OwedTogether> {
 public:
  explicit OwedTogether(std::size_t deliveries) : open_(deliveries) {}

 private:
  friend class SinkLedger;
  std::size_t open_;  // deliveries that are not acknowledged
  FileRange range_;   // of those that are
  Seam seam_;
  std::uint64_t bytes_ = 0;
  std::uint64_t events_ = 0;
};

// Events of a delivery that a sink gives up.
struct Discard {
  FileRange owed;  // of their delivery
  FileRange range;
  std::string reason;
  std::uint64_t events = 0;
};

// Those of messages that are refused one by one are one range.
void add_discard(std::vector<Discard>& discards, Discard discard);

// Threads: fed_* and backlog_to belong to the source's thread, take_to() to the sink's, file_stored to the
//          buffer's; acked_offset() and
//          taken_offset() may be read anywhere; the rest is guarded by the ledger that the cursor belongs to.
// Invariants: acked_offset() <= fed_offset. Ranges in [acked, fed) are in flight or acknowledged out of
// order.
class Cursor : public RefCounted<Cursor> {
 public:
  // Of a sink that comes in at `offset`.
  Cursor(SinkLedger& ledger, std::uint64_t file_id, std::uint64_t offset, const Seam& seam)
      : Cursor(ledger, file_id, offset, seam, {offset, 0, 0}) {}
  Cursor(SinkLedger& ledger, std::uint64_t file_id, std::uint64_t offset, const Seam& seam,
         const CursorAccount& account)
      : fed_offset(offset),
        fed_seam(seam),
        ledger_(ledger),
        file_id_(file_id),
        acked_seam_(seam),
        account_(account),
        acked_(offset),
        taken_(offset) {}

  SinkLedger& ledger() const { return ledger_; }
  std::uint64_t file_id() const { return file_id_; }
  // Everything before it was delivered or counted as discarded.
  std::uint64_t acked_offset() const { return acked_.load(std::memory_order_acquire); }

  // Everything before it was taken out of the lanes.
  std::uint64_t taken_offset() const { return taken_.load(std::memory_order_acquire); }
  void take_to(std::uint64_t offset) { taken_.store(offset, std::memory_order_release); }
  // A cursor for the sink that comes after this one's: it begins at what was acknowledged.
  // REQUIRES: the ledger's sink has ended.
  IntrusivePtr<Cursor> continued_by(SinkLedger& ledger) const {
    return IntrusivePtr<Cursor>(new Cursor(ledger, file_id_, acked_offset(), acked_seam_, settled_account()));
  }

  std::uint64_t fed_offset;      // the next byte to feed
  Seam fed_seam;                 // the bytes before it
  std::uint64_t backlog_to = 0;  // fed through the backlog's lane up to here
  bool file_stored = false;      // the file's record is durable: who writes the sink's buffer knows

 private:
  friend class SinkLedger;
  friend class CursorPeer;  // the unit test of mark()
  // Marks [range.begin, range.end) as done. True when the low-watermark moved. What lies below the
  // low-watermark already is ignored.
  // With what was discarded taken off.
  CursorAccount settled_account() const;
  bool mark(const Batch& batch) {
    return mark(batch.owed, batch.seam, batch.acknowledged_bytes(), batch.events);
  }
  bool mark(FileRange range, const Seam& seam, std::uint64_t bytes, std::uint64_t events);
  // Until the low-watermark has passed it: what is delivered again after a crash was not discarded.
  void discard(Discard discard) { add_discard(unusual().discards, std::move(discard)); }
  // Moves what the low-watermark has passed to `ranges` and takes it off what was delivered.
  void take_discards(const std::string& sink, std::vector<RangeRecord>& ranges);

  struct Done {
    std::uint64_t end;
    Seam seam;
    std::uint64_t bytes;  // of text, and its events
    std::uint64_t events;
  };
  SinkLedger& ledger_;
  const std::uint64_t file_id_;
  // What few cursors have: there is one for each file and sink, and most of them are idle.
  struct Unusual {
    // By begin; disjoint, no two adjacent, none touches acked_: no more of them than batches in flight.
    std::map<std::uint64_t, Done> out_of_order;
    std::vector<Discard> discards;
  };
  Unusual& unusual();
  void drop_unusual();
  std::unique_ptr<Unusual> unusual_;  // null: empty
  Seam acked_seam_;                   // the bytes before acked_
  CursorAccount account_;             // of [begin, acked_), discards not taken off
  std::atomic<std::uint64_t> acked_;
  std::atomic<std::uint64_t> taken_;
  bool dirty_ = false;
};

using CursorRef = IntrusivePtr<Cursor>;

// What a ring carries to a sink: events, and the cursor that moves when they are done.
struct Delivery {
  BatchRef batch;
  CursorRef cursor;
  IntrusivePtr<OwedTogether> together = {};  // null: what the batch owes, it owes alone
};

}  // namespace logflume
