// The side of a buffer that its sink takes from.
#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>

#include "base/clock.h"
#include "buffer/buffered_records.h"
#include "buffer/disk_buffer.h"
#include "buffer/replay.h"
#include "checkpoint/lanes.h"

namespace logflume {

// Hands records on in their order, as long as the sink wants more: from memory, or read again from the log
// when they are no longer there. What of the log cannot be read, or is gone, is counted and passed by.
//
// Threads: the intake's.
class BufferOutlet {
 public:
  BufferOutlet(DiskBufferContext& context, BufferedRecords& records);

  // REQUIRES: before the threads start.
  void start_at(std::uint64_t position) { next_ = position; }

  // Returns how much it did.
  std::size_t hand_on(TimePoint now);
  // drop_oldest, and no room: counts and gives up the oldest segment. What the sink has of it stays with the
  // sink.
  bool give_up_oldest();

  bool has_work() const;
  TimePoint deadline() const { return retry_at_; }

 private:
  bool hand_from_window();
  bool hand_replayed();
  bool read_on(TimePoint now);
  void read_failed(const Error& error, TimePoint now);
  void take_damage(const LogDamage& damage);
  void take_gap(const LogGap& gap);
  void mark_done(std::uint64_t begin, std::uint64_t end, std::vector<RangeRecord> given_up = {});
  void hand(BatchRef batch);
  CursorRef cursor_of(std::uint64_t file_id);

  DiskBufferContext& context_;
  BufferedRecords& records_;
  Lanes& lanes_;
  Replay replay_;
  Counter& damaged_records_;
  Counter& damaged_bytes_;
  std::deque<BatchRef> replayed_;  // read, and not handed on yet
  std::uint64_t next_ = 0;         // the sink gets next what begins here
  bool replaying_ = false;         // replay_ stands where it goes on
  // One for each file: a sink keeps the order of what has the same. No more than that is asked of them.
  std::unordered_map<std::uint64_t, CursorRef> cursors_;
  bool read_failed_ = false;
  TimePoint retry_at_ = kNever;
};

}  // namespace logflume
