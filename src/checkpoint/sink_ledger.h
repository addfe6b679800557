// What one sink owes and has done: the bytes in flight to it (backpressure) and its acknowledgements, on
// their way to the checkpoint store.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "checkpoint/audit_journal.h"
#include "checkpoint/checkpoint_store.h"
#include "checkpoint/cursor.h"
#include "ring/parker.h"

namespace logflume {

// Notes in the journal that these are acknowledged now. Null: nothing happens.
void note_acknowledged(JournalFeed* journal, std::span<const Delivery> done);

// Where it is said that deliveries are done with: the sink's ledger, or a buffer before it.
class AckTarget {
 public:
  virtual ~AckTarget() = default;
  // `done` was delivered, or discarded and counted; `states` hold from this moment on. In any order.
  // REQUIRES: each delivery once.
  virtual void acknowledge(std::span<const Delivery> done, std::span<const SinkStateRecord> states) = 0;
  // These events of a delivery of `cursor` that is not acknowledged yet will be as ones that were given up.
  // REQUIRES: each event once; `discard.range` within the delivery's bytes of the file.
  virtual void discard(Cursor& cursor, Discard discard) = 0;
};

// Threads: charge() and has_room() from the sources, acknowledge() from the sink, and from a source where
// there
//          is nothing to deliver, take() from the checkpointer; each may run at once with the others.
// Invariant: what take() returns is one moment of the sink: all acknowledgements up to some acknowledge()
//            call together with the states given with them, never half of a call.
class SinkLedger final : public AckTarget {
 public:
  // `on_dirty` is called, from the sink's thread, when the first change after a take() arrives. It may be
  // empty. `inflight_bytes_max` of 0 counts as 1: one batch at a time.
  SinkLedger(std::string sink, std::size_t inflight_bytes_max, std::function<void()> on_dirty);

  const std::string& sink() const { return sink_; }

  // -- Backpressure ---------------------------------------------------------------------------------------
  // At least one batch is always admitted, however large.
  bool has_room() const { return inflight_bytes_.load(std::memory_order_relaxed) < inflight_bytes_max(); }
  // For lines that have just been written: what is behind must not fill the room for them.
  bool has_room_for_live() const {
    const std::size_t max = inflight_bytes_max();
    return inflight_bytes_.load(std::memory_order_relaxed) < max + max / 4;
  }
  // For a source that was out of room: true from the level at which it is woken. Asking for less would let
  // one source that never sleeps take all the room from one that does.
  bool has_room_again() const { return inflight_bytes_.load(std::memory_order_relaxed) < wake_below_bytes(); }
  // Of each delivery, before it is handed to the sink.
  // REQUIRES: `bytes` is the batch's charged_bytes(); acknowledge() gives back as much.
  void charge(std::size_t bytes) {
    inflight_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    inflight_batches_.fetch_add(1, std::memory_order_relaxed);
  }
  // What was charged has become more.
  void charge_more(std::size_t bytes) { inflight_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  std::uint64_t inflight_bytes() const { return inflight_bytes_.load(std::memory_order_relaxed); }
  // 0: all that was charged is acknowledged, and the cursors show it.
  std::uint64_t inflight_batches() const { return inflight_batches_.load(std::memory_order_acquire); }
  // Sources to wake when room returns. Any thread. `parker` lives until it is removed, as often as added.
  void add_source(Parker& parker);
  void remove_source(Parker& parker);
  // Any thread: other sinks came or went, and the memory is shared out anew.
  void set_inflight_max(std::size_t bytes);

  // What is acknowledged is noted there. Before anything is.
  void note_in(std::shared_ptr<JournalFeed> journal) { journal_ = std::move(journal); }

  // -- Acknowledgement ------------------------------------------------------------------------------------
  // REQUIRES: each delivery once; its cursor belongs to this ledger.
  void acknowledge(std::span<const Delivery> done, std::span<const SinkStateRecord> states) override;
  void acknowledge(std::span<const Delivery> done) { acknowledge(done, {}); }
  // `ranges` are stored in the same transaction.
  void acknowledge(std::span<const Delivery> done, std::span<const SinkStateRecord> states,
                   std::vector<RangeRecord> ranges);
  void discard(Cursor& cursor, Discard discard) override;
  // So many more deliveries of the same cursor are about to be handed to the sink. False, and nothing: all
  // are acknowledged already. From the source.
  bool add_to(OwedTogether& together, std::size_t deliveries);

  // The cursor's place is to be durable although nothing was acknowledged: a position that was chosen, not
  // reached.
  void note(const CursorRef& cursor);

  // Moves what changed since the last call into `changes`. What fails to be committed must be kept by the
  // caller: it is not returned again.
  void take(CheckpointChanges& changes);

 private:
  static bool mark(const Delivery& delivery);
  void release(std::uint64_t bytes, std::uint64_t batches);
  void wake_sources();
  bool is_clean() const { return dirty_cursors_.empty() && dirty_ranges_.empty() && dirty_states_.empty(); }
  std::size_t inflight_bytes_max() const { return inflight_bytes_max_.load(std::memory_order_relaxed); }
  std::size_t wake_below_bytes() const {
    const std::size_t max = inflight_bytes_max();
    return max - max / 4;
  }

  const std::string sink_;
  std::atomic<std::size_t> inflight_bytes_max_;
  const std::function<void()> on_dirty_;
  std::shared_ptr<JournalFeed> journal_;  // null: nobody keeps one
  std::atomic<std::uint64_t> inflight_bytes_{0};
  std::atomic<std::uint64_t> inflight_batches_{0};

  std::mutex sources_mutex_;
  std::vector<Parker*> sources_;  // guarded by sources_mutex_

  std::mutex mutex_;
  std::vector<CursorRef> dirty_cursors_;
  std::vector<RangeRecord> dirty_ranges_;
  std::vector<SinkStateRecord> dirty_states_;                       // each key once
  std::unordered_map<std::string, std::size_t> dirty_state_index_;  // key -> place in dirty_states_
};

}  // namespace logflume
