// What a buffer knows of its records, from the moment a delivery comes in to the moment the sink is done with
// it.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "buffer/buffer_state.h"
#include "buffer/disk_buffer.h"
#include "checkpoint/cursor.h"
#include "disk/segment_log.h"
#include "event/batch.h"

namespace logflume {

// The way of a record: put() gives it a position and keeps it in the window, the newest in memory. The writer
// takes it with take_group(), and settle() says that it is durable. The sink is lent it from the window, or
// from the log when it is no longer there, and acknowledges it. What is durable or done is released to its
// source; that, the sink's states and the buffer's state reach the ledger from here, at one moment.
//
// Threads: all of them; ledger calls are made under the lock.
class BufferedRecords {
 public:
  // `context` outlives it.
  BufferedRecords(const DiskBufferConfig& config, DiskBufferContext& context);

  // Takes over where `log` and `state` stand; `log` outlives it. REQUIRES: before all that follows.
  void start(BufferState state, const SegmentLog& log);

  // -- Coming in ------------------------------------------------------------------------------------------
  enum class Room { kYes, kNo, kDropNewest };
  Room room() const;
  // The same, after what is durable had to make room in memory.
  Room make_room();
  // REQUIRES: make_room() was kYes. True: the writer has something to do.
  bool put(Delivery&& delivery);

  // -- To the disk ----------------------------------------------------------------------------------------
  struct Group {
    std::vector<Delivery> deliveries;
    std::uint64_t position = 0;  // of the first
    std::uint64_t bytes = 0;     // of the records
  };
  // Something is to be written, and there is room for it.
  bool has_group() const;
  // It is enough not to wait for more.
  bool has_large_group() const;
  // nullopt: there is none, or, unless it has `waited`, none that is large enough. Empty: there is no room on
  // disk for what is next; that is noted, and over with reclaimed().
  std::optional<Group> take_group(bool waited);
  // The next state that is committed says that positions before `end` may be used, and some more. Returns how
  // far.
  std::uint64_t reserve(std::uint64_t end);
  // All before it is durable.
  void settle(std::uint64_t durable_to);
  // All segments before it can go, once that is committed; nullopt: there is none.
  std::optional<std::uint64_t> reclaimable_to() const;
  void reclaimed();
  // Whether the last write failed. Returns what was before.
  bool set_failing(bool failing);

  // -- To the sink ----------------------------------------------------------------------------------------
  // The sink may be given what is at `position`.
  bool wants(std::uint64_t position) const;
  // What is at `position` in the window, or null where the sink is done with it; `position` is then behind
  // it. nullopt: it is not there, or the sink has enough.
  std::optional<BatchRef> lend(std::uint64_t& position);
  // The same for `bytes` that come from the log. False: the sink has enough.
  bool lend_read(std::uint64_t bytes);
  // Which part of [position, window) is in the log. nullopt: the window has it, or the sink has enough.
  struct Unread {
    std::uint64_t log_end = 0;
    std::uint64_t window_begin = 0;
  };
  std::optional<Unread> unread(std::uint64_t position) const;
  bool is_done(std::uint64_t position) const;
  // The parts of [begin, end) that nobody is done with.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> missing(std::uint64_t begin, std::uint64_t end) const;
  // Nobody waits for these positions any more. True: a segment can go.
  // `given_up`: ranges of files in it that the audit is to know of.
  bool mark_done(std::uint64_t begin, std::uint64_t end, std::vector<RangeRecord> given_up = {});
  // Events in the log that cannot be delivered.
  void lose(std::uint64_t events, std::uint64_t bytes);
  // drop_oldest: the first segments are to go, up to there.
  std::optional<std::uint64_t> to_give_up() const;
  void give_up(std::uint64_t end, std::uint64_t events, std::uint64_t bytes);

  // -- Done with ------------------------------------------------------------------------------------------
  // True: the writer has something to do.
  bool acknowledge(std::span<const Delivery> done, std::span<const SinkStateRecord> states);
  // What the sink gives up of a delivery that it has not acknowledged yet; `discard.owed` is its position.
  void discard(Discard discard);

  // What is in memory is written, and nothing more lent while that works.
  void drain();
  bool empty() const;
  std::uint64_t lent() const;
  struct Pending {
    std::uint64_t events = 0;
    std::uint64_t bytes = 0;
  };
  Pending pending() const;

 private:
  struct Entry {
    std::uint64_t position = 0;
    std::uint64_t end = 0;
    Delivery delivery;      // as the source gave it
    bool released = false;  // acknowledged to the source
    bool done = false;      // by the sink, out of order
  };

  // All of these: REQUIRES: the mutex.
  bool has_room() const;
  bool drops_newest() const;
  bool writes() const { return !config_.drain_only && (!config_.overflow || spilling_ || draining_); }
  bool lends() const;
  bool has_group_locked() const;
  bool has_large_group_locked() const;
  bool can_reclaim() const;
  bool is_durable(const Entry& entry) const { return entry.end <= state_.durable_to; }
  // The first entry that ends behind `position`.
  std::deque<Entry>::iterator behind(std::uint64_t position);
  std::uint64_t window_begin() const { return window_.empty() ? next_position_ : window_.front().position; }
  void pop_front();
  // Lets go of what nobody needs.
  void trim();
  // Of `entry`, once: its source need not keep it any more.
  void release(Entry& entry);
  void publish(std::span<const SinkStateRecord> sink_states = {}, std::vector<RangeRecord> ranges = {});
  // What the sink gave up of the delivery at `position`, which it is done with now: of one that its source
  // still keeps (`kept`) it is not delivered; of others, that count as delivered, `ranges` say so.
  void settle_discards(std::uint64_t position, std::uint64_t file_id, Entry* kept,
                       std::vector<RangeRecord>& ranges);
  void forget(std::uint64_t events, std::uint64_t bytes, bool durable);
  void count_lost(std::uint64_t events);
  // Once nothing is left: of what could not be read or was gone, not all was known before.
  void count_rest();

  const DiskBufferConfig config_;
  DiskBufferContext& context_;
  const std::uint64_t window_max_;  // bytes of entries
  const std::uint64_t lent_max_;    // bytes in the sink's hands
  const SegmentLog* log_ = nullptr;

  mutable std::mutex mutex_;  // guards what follows
  std::deque<Entry> window_;  // the newest deliveries, without gaps up to next_position_
  std::uint64_t window_bytes_ = 0;
  std::uint64_t waiting_bytes_ = 0;  // of entries that their sources still keep
  std::uint64_t next_position_ = 0;
  BufferState state_;
  std::uint64_t abandoned_to_ = 0;  // given up by drop_oldest
  Pending pending_;                 // of all that is not done
  std::uint64_t lent_ = 0;          // deliveries in the sink's hands
  std::uint64_t lent_bytes_ = 0;
  bool spilling_ = false;
  bool full_ = false;     // the log has no room for what waits
  bool failing_ = false;  // the last write failed
  bool draining_ = false;
  std::vector<Delivery> released_;  // to be published
  // What the sink has given up of deliveries that it is not done with, by position.
  std::unordered_map<std::uint64_t, std::vector<Discard>> discards_;
};

}  // namespace logflume
