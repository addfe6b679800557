#include "buffer/disk_buffer.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "buffer/buffer_state.h"
#include "buffer/buffered_batch.h"
#include "buffer/replay.h"
#include "disk/segment_log.h"

namespace logflume {
namespace {

// A group commit takes at most this much, and waits for more of it at most so long after the last one.
constexpr std::uint64_t kGroupBytes = 8 * 1024 * 1024;
constexpr std::size_t kGroupEntries = 2048;
constexpr std::uint64_t kGroupEnoughBytes = 1024 * 1024;
constexpr Duration kGroupInterval = 10ms;

// Deliveries may be far smaller than what is kept of each.
constexpr std::size_t kWindowEntriesMax = 16 * 1024;
constexpr std::size_t kTakenAtOnce = 256;
constexpr std::size_t kCursorsMax = 4096;

// So many positions are reserved with one commit, at least. There are enough for 2^32 starts.
constexpr std::uint64_t kReservedBytes = std::uint64_t{1} << 30;

constexpr Duration kRetry = 1s;         // after an error
constexpr Duration kRetryMemory = 2ms;  // for what nobody wakes us

constexpr std::uint64_t kSegmentBytesMin = 64 * 1024;
constexpr std::uint64_t kSegmentBytesMax = 64 * 1024 * 1024;
constexpr std::uint64_t kSegmentsMin = 16;  // of a full buffer

std::string_view reason_of(const Error& error) {
  return error.os_errno == ENOSPC || error.os_errno == EDQUOT ? "no_space" : "io";
}

// The same events, owing another range.
BatchRef with_position(const Batch& batch, FileRange position) {
  auto* copy = new Batch(batch);
  BatchRef shared(copy);
  copy->owed = position;
  return shared;
}

// A delivery in memory.
struct Entry {
  std::uint64_t position = 0;
  std::uint64_t end = 0;
  Delivery delivery;      // as the source gave it
  bool released = false;  // acknowledged to the source
  bool done = false;      // by the sink, out of order
};

}  // namespace

std::uint64_t DiskBufferConfig::segment_bytes() const {
  return std::clamp(max_bytes / kSegmentsMin, kSegmentBytesMin, kSegmentBytesMax);
}

// -- What both agents and the sink share -------------------------------------------------------------------

class DiskBuffer::Core {
 public:
  Core(DiskBufferConfig c, DiskBufferContext x);

  // Of `entry`, once: its source need not keep it any more.
  void release(Entry& entry) {
    if (std::exchange(entry.released, true)) return;
    released.push_back(entry.delivery);
    waiting_bytes -= entry.delivery.batch->bytes;
  }
  bool is_durable(const Entry& entry) const { return entry.end <= state.durable_to; }
  // What was released, with the buffer's state and the sink's, at one moment.
  void publish(std::span<const SinkStateRecord> sink_states = {});
  // The first entry that ends behind `position`.
  std::deque<Entry>::iterator behind(std::uint64_t position) {
    return std::partition_point(window.begin(), window.end(),
                                [&](const Entry& entry) { return entry.end <= position; });
  }
  std::uint64_t window_begin() const { return window.empty() ? next_position : window.front().position; }
  void pop_front() {
    window_bytes -= window.front().delivery.batch->bytes;
    window.pop_front();
  }
  // Lets go of what nobody needs.
  void trim() {
    while (!window.empty() && state.done.contains(window.front().position)) pop_front();
  }
  void forget(std::uint64_t events, std::uint64_t bytes, bool durable) {
    pending_events -= std::min(events, pending_events);
    pending_bytes -= std::min(bytes, pending_bytes);
    if (!durable) return;
    state.events -= std::min(events, state.events);
    state.bytes -= std::min(bytes, state.bytes);
  }
  // So many can never be delivered. REQUIRES: the mutex.
  void count_lost(std::uint64_t events) {
    if (events == 0) return;
    context.metrics.received_events.add(events);
    context.metrics.discarded("buffer_damaged", events);
  }
  // Once nothing is left: of what could not be read or was gone, not all was known before. REQUIRES: the
  // mutex.
  void count_rest() {
    if (state.done.low() != next_position) return;
    if (state.events != 0)
      context.log.error(context.sink, "{} events of the buffer's lost ranges are lost", state.events);
    count_lost(state.events);
    pending_events = pending_bytes = state.events = state.bytes = 0;
  }
  // All segments before it can go.
  std::uint64_t reclaimable_to() const { return std::max(state.done.low(), abandoned_to); }
  bool can_reclaim() const {
    const auto oldest = log->oldest_end();
    return oldest && *oldest <= reclaimable_to();
  }
  bool writes() const { return !config.drain_only && (!config.overflow || spilling || draining); }
  bool hands_on() const { return !draining || failing || config.drain_only; }
  void count_error(std::string_view reason) {
    context.metrics.registry
        .counter("logflume_buffer_errors_total", "Errors of a sink's disk buffer, by reason.",
                 {{"component", context.sink}, {"reason", std::string(reason)}})
        .add();
  }

  const DiskBufferConfig config;
  DiskBufferContext context;
  const std::uint64_t window_max;   // bytes of entries
  const std::uint64_t handed_max;   // bytes in the sink's hands
  std::unique_ptr<SegmentLog> log;  // set by open()

  mutable std::mutex mutex;  // guards what follows; ledger calls are made under it
  std::deque<Entry> window;  // the newest deliveries, without gaps up to next_position
  std::uint64_t window_bytes = 0;
  std::uint64_t waiting_bytes = 0;  // of entries that their sources still keep
  std::uint64_t next_position = 0;
  BufferState state;
  std::uint64_t abandoned_to = 0;    // given up by drop_oldest
  std::uint64_t pending_events = 0;  // of all that is not done
  std::uint64_t pending_bytes = 0;
  std::uint64_t handed = 0;  // deliveries in the sink's hands
  std::uint64_t handed_bytes = 0;
  bool spilling = false;
  bool full = false;     // the log has no room for what waits
  bool failing = false;  // the last write failed
  bool draining = false;
  std::vector<Delivery> released;  // to be published

  Counter& written_bytes;
  Counter& damaged_records;
  Counter& damaged_bytes;
  Histogram& sync_seconds;
  std::shared_ptr<MetricRegistry::Collector> collector;
};

DiskBuffer::Core::Core(DiskBufferConfig c, DiskBufferContext x)
    : config(c),
      context(std::move(x)),
      window_max(std::max<std::uint64_t>(1, config.memory_bytes / 3 * 2)),
      handed_max(std::max<std::uint64_t>(1, config.memory_bytes / 3)),
      written_bytes(context.metrics.registry.counter("logflume_buffer_written_bytes_total",
                                                     "Bytes made durable in a sink's disk buffer.",
                                                     {{"component", context.sink}})),
      damaged_records(context.metrics.registry.counter("logflume_buffer_damaged_records_total",
                                                       "Places in a sink's disk buffer that could not be "
                                                       "read: passed by, and kept aside if they are there.",
                                                       {{"component", context.sink}})),
      damaged_bytes(context.metrics.registry.counter("logflume_buffer_damaged_bytes_total",
                                                     "Bytes at such places, headers included.",
                                                     {{"component", context.sink}})),
      sync_seconds(context.metrics.registry.histogram(
          "logflume_buffer_sync_seconds", "Time that a group commit of a disk buffer took.",
          {0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10}, {{"component", context.sink}})) {}

void DiskBuffer::Core::publish(std::span<const SinkStateRecord> sink_states) {
  std::vector<SinkStateRecord> states(sink_states.begin(), sink_states.end());
  states.push_back({context.sink, std::string(BufferState::kKey), state.encode()});
  context.ledger.acknowledge(released, states);
  released.clear();
}

// -- Intake: from the sources, and to the sink -------------------------------------------------------------

class DiskBuffer::Intake final : public Agent {
 public:
  explicit Intake(Core& core)
      : core_(core),
        lanes_(core.context.out.open("buffer")),
        replay_(core.context.disk, core.context.directory, core.context.slabs) {}

  // REQUIRES: before the threads start.
  void start_at(std::uint64_t position) { hand_to_ = position; }

  std::size_t do_work(TimePoint now) override {
    retry_at_ = kNever;
    std::size_t count = take_in();
    count += hand_on(now);
    if (give_up_oldest()) ++count;
    return count;
  }
  bool has_input() const override {
    const std::lock_guard lock(core_.mutex);
    return (can_take() && !core_.context.in.empty()) || can_hand_on() || must_give_up();
  }
  TimePoint deadline() const override { return retry_at_; }

 private:
  bool is_full() const { return core_.full && core_.waiting_bytes >= core_.window_max / 2; }
  bool has_room() const {
    return core_.window_bytes < core_.window_max && core_.window.size() < kWindowEntriesMax;
  }
  bool can_evict() const { return !core_.window.empty() && core_.is_durable(core_.window.front()); }
  bool drops_newest() const { return core_.config.when_full == WhenFull::kDropNewest && is_full(); }
  bool can_take() const { return has_room() || can_evict() || drops_newest(); }
  bool can_hand_on() const {
    return core_.hands_on() && hand_to_ < core_.next_position && core_.handed_bytes < core_.handed_max &&
           lanes_.has_room(false) && retry_at_ == kNever;
  }
  bool must_give_up() const {
    return core_.full && core_.config.when_full == WhenFull::kDropOldest && core_.log->oldest_end() &&
           *core_.log->oldest_end() > core_.reclaimable_to();
  }

  std::size_t take_in();
  bool make_room();
  void drop(const Delivery& delivery);
  std::size_t hand_on(TimePoint now);
  bool hand_from_window();
  bool hand_replayed();
  bool read_on(TimePoint now);
  void take_damage(const LogDamage& damage);
  void take_gap(const LogGap& gap);
  void mark_done(std::uint64_t begin, std::uint64_t end);
  void hand(BatchRef batch);
  CursorRef cursor_of(std::uint64_t file_id);
  bool give_up_oldest();

  Core& core_;
  Lanes& lanes_;
  Replay replay_;
  std::deque<BatchRef> replayed_;  // read, and not handed on yet
  std::uint64_t hand_to_ = 0;      // the sink gets next what begins here
  bool replaying_ = false;         // replay_ stands where it goes on
  // One for each file: a sink keeps the order of what has the same. No more than that is asked of them.
  std::unordered_map<std::uint64_t, CursorRef> cursors_;
  bool read_failed_ = false;
  TimePoint read_retry_at_{};
  TimePoint retry_at_ = kNever;
};

std::size_t DiskBuffer::Intake::take_in() {
  std::size_t count = 0;
  bool to_write = false;
  Delivery delivery;
  while (count < kTakenAtOnce) {
    bool drops = false;
    {
      const std::lock_guard lock(core_.mutex);
      drops = drops_newest();
      if (!drops && !make_room()) break;
    }
    if (!core_.context.in.try_pop(delivery)) break;
    ++count;
    if (drops) {
      drop(delivery);
      continue;
    }
    const std::lock_guard lock(core_.mutex);
    const Batch& batch = *delivery.batch;
    const std::uint64_t position = core_.next_position;
    core_.next_position += record_bytes(encoded_bytes(batch));
    core_.window_bytes += batch.bytes;
    core_.waiting_bytes += batch.bytes;
    core_.pending_events += batch.events;
    core_.pending_bytes += batch.bytes;
    core_.window.push_back({position, core_.next_position, std::move(delivery), false, false});
    if (core_.config.overflow && !core_.spilling) {
      // Before the sources have to stop. They need not where what fills the window was done out of order.
      core_.spilling = !core_.context.ledger.has_room_again() || !has_room() ||
                       core_.window.size() >= kWindowEntriesMax / 2;
    }
    to_write = core_.writes();
  }
  if (to_write) core_.context.writer_thread.wake();
  return count;
}

// REQUIRES: the mutex.
bool DiskBuffer::Intake::make_room() {
  while (!has_room() && can_evict()) core_.pop_front();
  return has_room();
}

// There is no room, and the newest is to go.
void DiskBuffer::Intake::drop(const Delivery& delivery) {
  const Batch& batch = *delivery.batch;
  core_.context.metrics.received_events.add(batch.events);
  core_.context.metrics.received_bytes.add(batch.bytes + (batch.unterminated ? 1 : 0));
  core_.context.metrics.discarded("buffer_full", batch.events);
  core_.context.ledger.acknowledge({&delivery, 1});
}

std::size_t DiskBuffer::Intake::hand_on(TimePoint now) {
  std::size_t count = 0;
  while (count < kTakenAtOnce && lanes_.has_room(false)) {
    const bool more = replayed_.empty() ? hand_from_window() || read_on(now) : hand_replayed();
    if (!more) break;
    ++count;
  }
  if (count != 0) core_.context.sink_thread.wake();
  if (!lanes_.has_room(false)) retry_at_ = std::min(retry_at_, now + kRetryMemory);
  return count;
}

void DiskBuffer::Intake::hand(BatchRef batch) {
  CursorRef cursor = cursor_of(batch->origin->file_id);
  lanes_.push({std::move(batch), std::move(cursor)}, false);
}

bool DiskBuffer::Intake::hand_from_window() {
  BatchRef batch;
  {
    const std::lock_guard lock(core_.mutex);
    if (!core_.hands_on() || core_.handed_bytes >= core_.handed_max) return false;
    if (hand_to_ < core_.window_begin()) return false;
    replaying_ = false;
    const auto entry = core_.behind(hand_to_);
    if (entry == core_.window.end()) return false;
    hand_to_ = entry->end;
    if (core_.state.done.contains(entry->position)) return true;
    ++core_.handed;
    core_.handed_bytes += entry->delivery.batch->bytes;
    batch = with_position(*entry->delivery.batch, {entry->position, entry->end});
  }
  hand(std::move(batch));
  return true;
}

bool DiskBuffer::Intake::hand_replayed() {
  {
    const std::lock_guard lock(core_.mutex);
    if (!core_.hands_on() || core_.handed_bytes >= core_.handed_max) return false;
    ++core_.handed;
    core_.handed_bytes += replayed_.front()->bytes;
  }
  hand_to_ = replayed_.front()->owed.end;
  hand(std::move(replayed_.front()));
  replayed_.pop_front();
  if (replayed_.empty()) hand_to_ = replay_.position();
  return true;
}

// Reads what is no longer in memory. True when something came of it.
bool DiskBuffer::Intake::read_on(TimePoint now) {
  std::uint64_t limit = 0;
  std::uint64_t window_begin = 0;
  {
    const std::lock_guard lock(core_.mutex);
    window_begin = core_.window_begin();
    limit = std::min(window_begin, core_.state.durable_to);
    if (!core_.hands_on() || core_.handed_bytes >= core_.handed_max || hand_to_ >= window_begin) return false;
  }
  if (hand_to_ >= limit) {
    // What is between was done with before it was written.
    mark_done(hand_to_, window_begin);
    hand_to_ = window_begin;
    return true;
  }
  if (!std::exchange(replaying_, true)) replay_.seek(hand_to_);
  Replay::Found found;
  if (auto read = replay_.read(limit, now, found); !read) {
    core_.count_error("read");
    core_.context.health.degraded("cannot read the buffer: " + read.error().text());
    core_.context.log.limited(LogLevel::kError, core_.context.sink, "buffer read",
                              "cannot read the buffer: " + read.error().text() +
                                  "; trying again, nothing behind it is delivered before");
    replaying_ = false;
    read_failed_ = true;
    read_retry_at_ = now + kRetry;
    retry_at_ = std::min(retry_at_, read_retry_at_);
    return false;
  }
  if (std::exchange(read_failed_, false)) core_.context.health.ok();
  if (found.no_memory) {
    retry_at_ = std::min(retry_at_, now + kRetryMemory);
    return false;
  }
  for (const LogDamage& damage : found.damages) take_damage(damage);
  for (const LogGap& gap : found.gaps) take_gap(gap);
  for (BatchRef& batch : found.batches) {
    const std::lock_guard lock(core_.mutex);
    if (!core_.state.done.contains(batch->owed.begin)) replayed_.push_back(std::move(batch));
  }
  if (found.at_end) replaying_ = false;
  if (replayed_.empty()) hand_to_ = replay_.position();
  return true;
}

void DiskBuffer::Intake::take_damage(const LogDamage& damage) {
  {
    // Nobody waits for it; or it is a write that failed, and what a power failure has made of it.
    const std::lock_guard lock(core_.mutex);
    const DonePositions& done = core_.state.done;
    if (done.contains(damage.begin) && done.missing(damage.begin, damage.end).empty()) return;
  }
  core_.damaged_records.add();
  core_.damaged_bytes.add(damage.end - damage.begin);
  const std::uint64_t events = damage.items.value_or(0);
  const auto kept = keep_aside(core_.context.disk, core_.context.directory, damage);
  core_.context.log.error(
      core_.context.sink, "the buffer is damaged at {} to {}: {} lost{}", damage.begin, damage.end,
      damage.items ? fmt::format("{} events are", events) : std::string("an unknown number of events is"),
      kept && *kept ? fmt::format(", the bytes are kept in {}/damaged", core_.context.directory) : "");
  {
    const std::lock_guard lock(core_.mutex);
    core_.count_lost(events);
    core_.forget(events, damage.end - damage.begin, true);
  }
  mark_done(damage.begin, damage.end);
}

// What was passed over when the log was written is done. Anything else was there once.
void DiskBuffer::Intake::take_gap(const LogGap& gap) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> lost;
  {
    const std::lock_guard lock(core_.mutex);
    lost = core_.state.done.missing(gap.begin, gap.end);
  }
  for (const auto& [begin, end] : lost) {
    core_.damaged_records.add();
    core_.damaged_bytes.add(end - begin);
    core_.context.log.error(
        core_.context.sink,
        "the buffer has lost {} to {}: {} bytes that were durable are gone. How many events "
        "they were is known when all others are delivered",
        begin, end, end - begin);
  }
  mark_done(gap.begin, gap.end);
}

void DiskBuffer::Intake::mark_done(std::uint64_t begin, std::uint64_t end) {
  if (begin >= end) return;
  const std::lock_guard lock(core_.mutex);
  core_.state.done.mark(begin, end);
  core_.trim();
  core_.count_rest();
  core_.publish();
  if (core_.can_reclaim()) core_.context.writer_thread.wake();
}

CursorRef DiskBuffer::Intake::cursor_of(std::uint64_t file_id) {
  if (cursors_.size() >= kCursorsMax) {
    std::erase_if(cursors_, [](const auto& known) { return known.second->use_count() == 1; });
  }
  CursorRef& cursor = cursors_[file_id];
  if (!cursor) cursor = CursorRef(new Cursor(core_.context.ledger, file_id, 0, Seam{}));
  return cursor;
}

// drop_oldest: makes room by giving up the oldest segment. What the sink has of it stays with the sink.
bool DiskBuffer::Intake::give_up_oldest() {
  std::uint64_t end = 0;
  {
    const std::lock_guard lock(core_.mutex);
    if (!must_give_up()) return false;
    end = *core_.log->oldest_end();
  }
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;
  if (hand_to_ < end) {
    // Count what goes. What of it cannot be read, cannot be counted.
    SegmentReader reader(core_.context.disk, core_.context.directory, hand_to_);
    std::string memory(SlabPool::kSlabBytes, '\0');
    LogChunk chunk;
    while (reader.position() < end && reader.read(memory, chunk, end) && !chunk.at_end) {
      if (chunk.bytes_wanted != 0) memory.resize(chunk.bytes_wanted);
      const std::lock_guard lock(core_.mutex);
      for (const LogRecord& record : chunk.records) {
        if (core_.state.done.contains(record.position)) continue;
        const auto batch = BufferedBatch::decode(record.payload, record.items);
        events += record.items;
        bytes += batch ? batch->text.size() : 0;
      }
    }
  }
  core_.context.metrics.received_events.add(events);
  core_.context.metrics.received_bytes.add(bytes);
  core_.context.metrics.discarded("buffer_full", events);
  core_.context.log.limited(LogLevel::kWarn, core_.context.sink, "buffer full",
                            fmt::format("the buffer is full: its oldest {} events are given up", events));
  {
    const std::lock_guard lock(core_.mutex);
    core_.forget(events, bytes, true);
    core_.abandoned_to = std::max(core_.abandoned_to, end);
  }
  if (hand_to_ < end) {
    replayed_.clear();
    replaying_ = false;
    mark_done(hand_to_, end);
    hand_to_ = end;
  }
  core_.context.writer_thread.wake();
  return true;
}

// -- Writer: group commit, and space given back ------------------------------------------------------------

class DiskBuffer::Writer final : public Agent {
 public:
  explicit Writer(Core& core) : core_(core) {}

  std::size_t do_work(TimePoint now) override {
    if (now < retry_at_) return 0;
    if (std::exchange(retry_at_, TimePoint{}) != TimePoint{}) has_recovered_if_nothing_waits();
    const bool reclaimed = reclaim(now);
    const bool wrote = retry_at_ == TimePoint{} && commit_group(now);
    return (reclaimed ? 1 : 0) + (wrote ? 1 : 0);
  }
  bool has_input() const override {
    // What waits for its time is seen to by the deadline.
    const std::lock_guard lock(core_.mutex);
    if (retry_at_ != TimePoint{}) return false;
    return core_.can_reclaim() || (has_work() && is_due(TimePoint::min()));
  }
  TimePoint deadline() const override {
    if (retry_at_ != TimePoint{}) return retry_at_;
    const std::lock_guard lock(core_.mutex);
    return has_work() ? next_group_ : kNever;
  }

 private:
  struct Group {
    std::vector<Delivery> deliveries;
    std::uint64_t position = 0;  // of the first
    std::uint64_t bytes = 0;     // of the records
  };

  bool has_work() const {
    return core_.writes() && !core_.full && core_.waiting_bytes != 0 && !core_.window.empty() &&
           core_.window.back().end > core_.state.durable_to;
  }
  bool is_due(TimePoint now) const {
    return core_.draining || core_.waiting_bytes >= kGroupEnoughBytes || now >= next_group_;
  }
  bool reclaim(TimePoint now);
  bool commit_group(TimePoint now);
  Group collect();
  Result<void> write(const Group& group);
  std::uint64_t reserve(std::uint64_t end);
  void settle();
  void failed(const Error& error, TimePoint now);
  void recovered();
  void has_recovered_if_nothing_waits();

  Core& core_;
  TimePoint retry_at_{};
  TimePoint next_group_{};
  std::uint64_t reserved_to_ = 0;  // positions before it may be written
  bool restart_ = false;           // the log takes nothing more where it ends
  std::vector<std::string> heads_;
  std::vector<iovec> pieces_;
  std::vector<SegmentLog::Record> records_;
};

// What the sink is done with goes, as soon as a crash cannot bring it back.
bool DiskBuffer::Writer::reclaim(TimePoint now) {
  std::uint64_t to = 0;
  {
    const std::lock_guard lock(core_.mutex);
    if (!core_.can_reclaim()) return false;
    to = core_.reclaimable_to();
  }
  auto reclaimed = core_.context.commit_now();
  if (reclaimed) reclaimed = core_.log->drop_before(to);
  if (!reclaimed) {
    failed(reclaimed.error(), now);
    return false;
  }
  const std::lock_guard lock(core_.mutex);
  core_.full = false;
  return true;
}

bool DiskBuffer::Writer::commit_group(TimePoint now) {
  Group group;
  {
    const std::lock_guard lock(core_.mutex);
    if (!has_work() || !is_due(now)) return false;
    group = collect();
    core_.full = group.deliveries.empty();
  }
  if (group.deliveries.empty()) {
    core_.context.intake_thread.wake();  // by `when_full`
    return false;
  }
  const TimePoint begun = steady_now();
  auto written = write(group);
  settle();
  core_.context.intake_thread.wake();
  if (!written) {
    failed(written.error(), now);
    return true;
  }
  core_.sync_seconds.observe(std::chrono::duration<double>(steady_now() - begun).count());
  core_.written_bytes.add(group.bytes);
  next_group_ = now + kGroupInterval;
  recovered();
  return true;
}

// What is next to be written, and has room on disk. REQUIRES: the mutex.
DiskBuffer::Writer::Group DiskBuffer::Writer::collect() {
  Group group;
  const std::uint64_t used = core_.log->size_bytes();
  for (auto entry = core_.behind(core_.state.durable_to); entry != core_.window.end(); ++entry) {
    const std::uint64_t bytes = entry->end - entry->position;
    if (!group.deliveries.empty() &&
        (group.bytes + bytes > kGroupBytes || group.deliveries.size() >= kGroupEntries)) {
      break;
    }
    // One that is larger than the whole buffer goes alone.
    const bool alone = group.deliveries.empty() && core_.state.events == 0;
    if (used + group.bytes + bytes > core_.config.max_bytes && !alone) break;
    if (group.deliveries.empty()) group.position = entry->position;
    group.bytes += bytes;
    group.deliveries.push_back(entry->delivery);
  }
  return group;
}

Result<void> DiskBuffer::Writer::write(const Group& group) {
  // end() may be behind what an attempt that failed has left.
  const bool gap = group.position != core_.log->synced_end();
  // What is on disk must mean something after a crash: its files are known to the store, what is missing
  // before it because the sink has it already is known to be done, and its positions are not given out again.
  const bool unknown = std::any_of(group.deliveries.begin(), group.deliveries.end(),
                                   [](const Delivery& delivery) { return !delivery.cursor->file_stored; });
  const std::uint64_t end = group.position + group.bytes;
  if (gap || unknown || end > reserved_to_) {
    const std::uint64_t reserved_to = reserve(end);
    if (auto committed = core_.context.commit_now(); !committed) return committed;
    reserved_to_ = reserved_to;
    for (const Delivery& delivery : group.deliveries) delivery.cursor->file_stored = true;
  }
  if (gap || restart_) core_.log->restart_at(group.position);
  restart_ = true;  // until all of it is durable

  heads_.resize(std::max(heads_.size(), group.deliveries.size()));
  pieces_.clear();
  pieces_.reserve(3 * group.deliveries.size());  // records_ refers to them
  records_.clear();
  for (std::size_t i = 0; i < group.deliveries.size(); ++i) {
    const std::size_t begin = pieces_.size();
    encode(*group.deliveries[i].batch, heads_[i], pieces_);
    records_.push_back({group.deliveries[i].batch->events, {pieces_.data() + begin, pieces_.size() - begin}});
  }
  if (auto appended = core_.log->append(records_); !appended) return appended;
  if (auto synced = core_.log->sync(); !synced) return synced;
  restart_ = false;
  return {};
}

// Has the next commit say that positions before `end` may be used, and some more. Returns how far.
std::uint64_t DiskBuffer::Writer::reserve(std::uint64_t end) {
  const std::lock_guard lock(core_.mutex);
  if (end > reserved_to_) {
    core_.state.reserved_to = std::max(core_.state.reserved_to, end + kReservedBytes);
    core_.publish();
  }
  return core_.state.reserved_to;
}

// Acknowledges what is durable now.
void DiskBuffer::Writer::settle() {
  const std::uint64_t durable_to = core_.log->synced_end();
  const std::lock_guard lock(core_.mutex);
  if (durable_to <= core_.state.durable_to) return;
  for (auto entry = core_.behind(core_.state.durable_to);
       entry != core_.window.end() && entry->end <= durable_to; ++entry) {
    core_.release(*entry);
    if (entry->done) continue;
    core_.state.events += entry->delivery.batch->events;
    core_.state.bytes += entry->delivery.batch->bytes;
  }
  core_.state.durable_to = durable_to;
  core_.publish();
}

void DiskBuffer::Writer::failed(const Error& error, TimePoint now) {
  retry_at_ = now + kRetry;
  core_.count_error(reason_of(error));
  const std::string message = "cannot write the buffer: " + error.text() +
                              "; events wait in memory, and their sources keep them, until it works again";
  core_.context.health.degraded(message);
  core_.context.log.limited(LogLevel::kError, core_.context.sink, "buffer", message);
  const std::lock_guard lock(core_.mutex);
  core_.failing = true;
}

void DiskBuffer::Writer::recovered() {
  {
    const std::lock_guard lock(core_.mutex);
    if (!std::exchange(core_.failing, false)) return;
  }
  core_.context.health.ok();
  core_.context.log.info(core_.context.sink, "the buffer works again");
}

// The next write tells.
void DiskBuffer::Writer::has_recovered_if_nothing_waits() {
  {
    const std::lock_guard lock(core_.mutex);
    if (has_work() || core_.can_reclaim()) return;
  }
  recovered();
}

// -- The buffer --------------------------------------------------------------------------------------------

DiskBuffer::DiskBuffer(DiskBufferConfig config, DiskBufferContext context)
    : core_(std::make_unique<Core>(config, std::move(context))),
      intake_(std::make_unique<Intake>(*core_)),
      writer_(std::make_unique<Writer>(*core_)) {}

DiskBuffer::~DiskBuffer() { core_->collector.reset(); }

Agent& DiskBuffer::intake() { return *intake_; }
Agent& DiskBuffer::writer() { return *writer_; }

Result<void> DiskBuffer::open(CheckpointContent& stored) {
  Core& core = *core_;
  const std::string& sink = core.context.sink;
  std::optional<BufferState> known;
  for (const SinkStateRecord& record : stored.states) {
    if (record.sink != sink || !is_buffer_state(record.key)) continue;
    known = BufferState::decode(record.value);
    if (!known)
      core.context.log.error(sink, "where the buffer stands is not readable: all of it is delivered");
  }
  BufferState& state = core.state;
  if (known) state = *known;
  const std::uint64_t position_min = std::max({state.reserved_to, state.durable_to, state.done.high()});
  auto log = SegmentLog::open(core.context.disk, core.context.directory,
                              {core.config.segment_bytes(), position_min}, state.durable_to);
  if (!log) return std::move(log).error();
  core.log = std::move(*log);
  if (!known) state.done = DonePositions(core.log->begin());

  // What became durable and was not committed as such: its sources need not keep it either.
  CheckpointChanges changes;
  std::unordered_map<std::uint64_t, CursorRecord*> cursors;  // of this sink, by file
  for (CursorRecord& cursor : stored.cursors) {
    if (cursor.sink == sink) cursors.emplace(cursor.file_id, &cursor);
  }
  std::unordered_set<CursorRecord*> moved;
  SegmentReader reader(core.context.disk, core.context.directory,
                       known ? state.durable_to : core.log->begin());
  std::string memory(SlabPool::kSlabBytes, '\0');
  LogChunk chunk;
  while (reader.position() < core.log->end()) {
    if (auto read = reader.read(memory, chunk, core.log->end()); !read) return read;
    if (chunk.bytes_wanted > memory.size()) memory.resize(chunk.bytes_wanted);
    // Nobody was told that it was durable. Should it come back nevertheless after a power failure, it is read
    // again by then.
    for (const LogGap& gap : chunk.gaps) state.done.mark(gap.begin, gap.end);
    for (const LogRecord& record : chunk.records) {
      const auto batch = BufferedBatch::decode(record.payload, record.items);
      if (!state.done.contains(record.position)) {
        state.events += record.items;
        state.bytes += batch ? batch->text.size() : 0;
      }
      if (!batch) continue;
      // Also of one that the sink is done with: it was not the next one of its file then.
      const auto known_cursor = cursors.find(batch->file_id);
      if (known_cursor == cursors.end() || known_cursor->second->offset != batch->owed.begin) continue;
      CursorRecord* cursor = known_cursor->second;
      moved.insert(cursor);
      cursor->offset = batch->owed.end;
      cursor->seam_bytes = batch->seam.size;
      cursor->seam_hash = XXH3_64bits(batch->seam.bytes, batch->seam.size);
      cursor->delivered_bytes += batch->text.size();
      cursor->delivered_events += record.items;
    }
    if (chunk.at_end) break;
  }
  for (const CursorRecord* cursor : moved) changes.cursors.push_back(*cursor);
  state.durable_to = core.log->end();
  if (state.lost_events != 0)
    core.context.log.error(sink, "{} events of the buffer were lost when it was repaired", state.lost_events);
  core.count_lost(std::exchange(state.lost_events, 0));
  changes.states.push_back({sink, std::string(BufferState::kKey), state.encode()});
  // Where it cannot be stored now, it is with the next commit, and found again here until then.
  if (known || core.log->segments() != 0) (void)core.context.commit_with(std::move(changes));

  core.next_position = core.log->end();
  core.pending_events = state.events;
  core.pending_bytes = state.bytes;
  intake_->start_at(state.done.low());
  core.collector = core.context.metrics.registry.collect([&core](MetricPage& page) {
    const Labels labels{{"component", core.context.sink}};
    const std::lock_guard lock(core.mutex);
    page.gauge("logflume_buffer_events", "Events in a sink's buffer that the sink is not done with.", labels,
               static_cast<double>(core.pending_events));
    page.gauge("logflume_buffer_bytes", "Their bytes.", labels, static_cast<double>(core.pending_bytes));
    page.gauge("logflume_buffer_max_bytes", "buffer.max_bytes of a disk buffer.", labels,
               static_cast<double>(core.config.max_bytes));
    page.gauge("logflume_buffer_size_bytes", "Size of a sink's buffer on disk.", labels,
               static_cast<double>(core.log->size_bytes()));
  });
  core.context.health.ok();
  return {};
}

void DiskBuffer::acknowledge(std::span<const Delivery> done, std::span<const SinkStateRecord> states) {
  if (done.empty() && states.empty()) return;
  Core& core = *core_;
  bool wakes_writer = false;
  {
    const std::lock_guard lock(core.mutex);
    const bool was_full = core.full;
    for (const Delivery& delivery : done) {
      const FileRange position = delivery.batch->owed;
      core.state.done.mark(position.begin, position.end);
      --core.handed;
      core.handed_bytes -= delivery.batch->bytes;
      const auto entry = core.behind(position.begin);
      const bool in_window = entry != core.window.end() && entry->position == position.begin;
      const bool durable = position.end <= core.state.durable_to;
      core.forget(delivery.batch->events, delivery.batch->bytes, durable);
      if (!in_window) continue;
      entry->done = true;
      core.release(*entry);
    }
    core.trim();
    core.count_rest();
    if (core.spilling && core.next_position - core.state.done.low() < core.window_max / 4 &&
        core.window.size() < kWindowEntriesMax / 4) {
      core.spilling = false;  // the sink has caught up
    }
    core.publish(states);
    if (core.full && core.state.events == 0) core.full = false;  // also one larger than the buffer has room
    wakes_writer = core.can_reclaim() || (was_full && !core.full);
  }
  core.context.intake_thread.wake();
  if (wakes_writer) core.context.writer_thread.wake();
}

void DiskBuffer::drain() {
  {
    const std::lock_guard lock(core_->mutex);
    core_->draining = true;
  }
  core_->context.intake_thread.wake();
  core_->context.writer_thread.wake();
}

bool DiskBuffer::empty() const {
  const std::lock_guard lock(core_->mutex);
  return core_->state.done.low() == core_->next_position;
}

std::uint64_t DiskBuffer::in_sinks_hands() const {
  const std::lock_guard lock(core_->mutex);
  return core_->handed;
}

std::string buffer_directory(const std::string& data_dir, const std::string& sink) {
  std::string path = data_dir + "/buffers/";
  for (const char c : sink) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.';
    const bool leads = path.back() == '/';
    if (plain && !(leads && c == '.')) {
      path += c;
    } else {
      path += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return path;
}

}  // namespace logflume
