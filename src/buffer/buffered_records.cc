#include "buffer/buffered_records.h"

#include <algorithm>

#include "buffer/buffered_batch.h"

namespace logflume {
namespace {

// A group commit takes at most this much, and waits for more only below the last of them.
constexpr std::uint64_t kGroupBytes = 8 * 1024 * 1024;
constexpr std::size_t kGroupEntries = 2048;
constexpr std::uint64_t kGroupEnoughBytes = 1024 * 1024;

// Deliveries may be far smaller than what is kept of each.
constexpr std::size_t kWindowEntriesMax = 16 * 1024;

// So many positions are reserved with one commit, at least. There are enough for 2^32 starts.
constexpr std::uint64_t kReservedBytes = std::uint64_t{1} << 30;

// The same events, owing another range.
BatchRef with_position(const Batch& batch, FileRange position) {
  auto* copy = new Batch(batch);
  BatchRef shared(copy);
  copy->owed = position;
  return shared;
}

}  // namespace

BufferedRecords::BufferedRecords(const DiskBufferConfig& config, DiskBufferContext& context)
    : config_(config),
      context_(context),
      window_max_(std::max<std::uint64_t>(1, config.memory_bytes / 3 * 2)),
      lent_max_(std::max<std::uint64_t>(1, config.memory_bytes / 3)) {}

void BufferedRecords::start(BufferState state, const SegmentLog& log) {
  const std::lock_guard lock(mutex_);
  log_ = &log;
  state_ = std::move(state);
  next_position_ = log.end();
  pending_ = {state_.events, state_.bytes};
}

// -- Coming in ---------------------------------------------------------------------------------------------

bool BufferedRecords::has_room() const {
  return window_bytes_ < window_max_ && window_.size() < kWindowEntriesMax;
}

bool BufferedRecords::drops_newest() const {
  return config_.when_full == WhenFull::kDropNewest && full_ && waiting_bytes_ >= window_max_ / 2;
}

BufferedRecords::Room BufferedRecords::room() const {
  const std::lock_guard lock(mutex_);
  if (drops_newest()) return Room::kDropNewest;
  const bool can_evict = !window_.empty() && is_durable(window_.front());
  return has_room() || can_evict ? Room::kYes : Room::kNo;
}

BufferedRecords::Room BufferedRecords::make_room() {
  const std::lock_guard lock(mutex_);
  if (drops_newest()) return Room::kDropNewest;
  while (!has_room() && !window_.empty() && is_durable(window_.front())) pop_front();
  return has_room() ? Room::kYes : Room::kNo;
}

bool BufferedRecords::put(Delivery&& delivery) {
  const std::lock_guard lock(mutex_);
  const Batch& batch = *delivery.batch;
  const std::uint64_t position = next_position_;
  next_position_ += record_bytes(encoded_bytes(batch));
  window_bytes_ += text_bytes(batch);
  waiting_bytes_ += text_bytes(batch);
  pending_.events += batch.events;
  pending_.bytes += text_bytes(batch);
  window_.push_back({position, next_position_, std::move(delivery), false, false});
  if (config_.overflow && !spilling_) {
    // Before the sources have to stop. They need not where what fills the window was done out of order.
    spilling_ = !context_.ledger.has_room_again() || !has_room() || window_.size() >= kWindowEntriesMax / 2;
  }
  return writes();
}

// -- To the disk -------------------------------------------------------------------------------------------

bool BufferedRecords::has_group_locked() const {
  return writes() && !full_ && waiting_bytes_ != 0 && !window_.empty() &&
         window_.back().end > state_.durable_to;
}

bool BufferedRecords::has_group() const {
  const std::lock_guard lock(mutex_);
  return has_group_locked();
}

bool BufferedRecords::has_large_group_locked() const {
  return has_group_locked() && (draining_ || waiting_bytes_ >= kGroupEnoughBytes);
}

bool BufferedRecords::has_large_group() const {
  const std::lock_guard lock(mutex_);
  return has_large_group_locked();
}

std::optional<BufferedRecords::Group> BufferedRecords::take_group(bool waited) {
  Group group;
  const std::lock_guard lock(mutex_);
  if (waited ? !has_group_locked() : !has_large_group_locked()) return std::nullopt;
  const std::uint64_t used = log_->size_bytes();
  for (auto entry = behind(state_.durable_to); entry != window_.end(); ++entry) {
    const std::uint64_t bytes = entry->end - entry->position;
    if (!group.deliveries.empty() &&
        (group.bytes + bytes > kGroupBytes || group.deliveries.size() >= kGroupEntries)) {
      break;
    }
    // One that is larger than the whole buffer goes alone.
    const bool alone = group.deliveries.empty() && state_.events == 0;
    if (used + group.bytes + bytes > config_.max_bytes && !alone) break;
    if (group.deliveries.empty()) group.position = entry->position;
    group.bytes += bytes;
    group.deliveries.push_back(entry->delivery);
  }
  full_ = group.deliveries.empty();
  return group;
}

std::uint64_t BufferedRecords::reserve(std::uint64_t end) {
  const std::lock_guard lock(mutex_);
  state_.reserved_to = std::max(state_.reserved_to, end + kReservedBytes);
  publish();
  return state_.reserved_to;
}

void BufferedRecords::settle(std::uint64_t durable_to) {
  const std::lock_guard lock(mutex_);
  if (durable_to <= state_.durable_to) return;
  for (auto entry = behind(state_.durable_to); entry != window_.end() && entry->end <= durable_to; ++entry) {
    release(*entry);
    if (entry->done) continue;
    state_.events += entry->delivery.batch->events;
    state_.bytes += text_bytes(*entry->delivery.batch);
  }
  state_.durable_to = durable_to;
  publish();
}

bool BufferedRecords::can_reclaim() const {
  const auto oldest = log_->oldest_end();
  return oldest && *oldest <= std::max(state_.done.low(), abandoned_to_);
}

std::optional<std::uint64_t> BufferedRecords::reclaimable_to() const {
  const std::lock_guard lock(mutex_);
  if (!can_reclaim()) return std::nullopt;
  return std::max(state_.done.low(), abandoned_to_);
}

void BufferedRecords::reclaimed() {
  const std::lock_guard lock(mutex_);
  full_ = false;
}

bool BufferedRecords::set_failing(bool failing) {
  const std::lock_guard lock(mutex_);
  return std::exchange(failing_, failing);
}

// -- To the sink -------------------------------------------------------------------------------------------

bool BufferedRecords::lends() const {
  return (!draining_ || failing_ || config_.drain_only) && lent_bytes_ < lent_max_;
}

bool BufferedRecords::wants(std::uint64_t position) const {
  const std::lock_guard lock(mutex_);
  return lends() && position < next_position_;
}

std::optional<BatchRef> BufferedRecords::lend(std::uint64_t& position) {
  const std::lock_guard lock(mutex_);
  if (!lends() || position < window_begin()) return std::nullopt;
  const auto entry = behind(position);
  if (entry == window_.end()) return std::nullopt;
  position = entry->end;
  if (state_.done.contains(entry->position)) return BatchRef();
  ++lent_;
  lent_bytes_ += text_bytes(*entry->delivery.batch);
  return with_position(*entry->delivery.batch, {entry->position, entry->end});
}

bool BufferedRecords::lend_read(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (!lends()) return false;
  ++lent_;
  lent_bytes_ += bytes;
  return true;
}

std::optional<BufferedRecords::Unread> BufferedRecords::unread(std::uint64_t position) const {
  const std::lock_guard lock(mutex_);
  const std::uint64_t window = window_begin();
  if (!lends() || position >= window) return std::nullopt;
  return Unread{std::min(window, state_.durable_to), window};
}

bool BufferedRecords::is_done(std::uint64_t position) const {
  const std::lock_guard lock(mutex_);
  return state_.done.contains(position);
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> BufferedRecords::missing(std::uint64_t begin,
                                                                              std::uint64_t end) const {
  const std::lock_guard lock(mutex_);
  return state_.done.missing(begin, end);
}

bool BufferedRecords::mark_done(std::uint64_t begin, std::uint64_t end, std::vector<RangeRecord> given_up) {
  const std::lock_guard lock(mutex_);
  state_.done.mark(begin, end);
  trim();
  count_rest();
  publish({}, std::move(given_up));
  return can_reclaim();
}

void BufferedRecords::lose(std::uint64_t events, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  count_lost(events);
  forget(events, bytes, true);
}

std::optional<std::uint64_t> BufferedRecords::to_give_up() const {
  const std::lock_guard lock(mutex_);
  if (!full_ || config_.when_full != WhenFull::kDropOldest || can_reclaim()) return std::nullopt;
  return log_->oldest_end();
}

void BufferedRecords::give_up(std::uint64_t end, std::uint64_t events, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  forget(events, bytes, true);
  abandoned_to_ = std::max(abandoned_to_, end);
}

// -- Done with ---------------------------------------------------------------------------------------------

bool BufferedRecords::acknowledge(std::span<const Delivery> done, std::span<const SinkStateRecord> states) {
  const std::lock_guard lock(mutex_);
  const bool was_full = full_;
  std::vector<RangeRecord> given_up;
  for (const Delivery& delivery : done) {
    const FileRange position = delivery.batch->owed;
    state_.done.mark(position.begin, position.end);
    --lent_;
    lent_bytes_ -= text_bytes(*delivery.batch);
    const auto entry = behind(position.begin);
    const bool in_window = entry != window_.end() && entry->position == position.begin;
    forget(delivery.batch->events, text_bytes(*delivery.batch), position.end <= state_.durable_to);
    settle_discards(position.begin, delivery.cursor->file_id(),
                    in_window && !entry->released ? &*entry : nullptr, given_up);
    if (!in_window) continue;
    entry->done = true;
    release(*entry);
  }
  trim();
  count_rest();
  if (spilling_ && next_position_ - state_.done.low() < window_max_ / 4 &&
      window_.size() < kWindowEntriesMax / 4) {
    spilling_ = false;  // the sink has caught up
  }
  publish(states, std::move(given_up));
  if (full_ && state_.events == 0) full_ = false;  // also one larger than the buffer has room
  return can_reclaim() || (was_full && !full_);
}

void BufferedRecords::discard(Discard discard) {
  const std::lock_guard lock(mutex_);
  add_discard(discards_[discard.owed.begin], std::move(discard));
}

void BufferedRecords::drain() {
  const std::lock_guard lock(mutex_);
  draining_ = true;
}

bool BufferedRecords::empty() const {
  const std::lock_guard lock(mutex_);
  return state_.done.low() == next_position_;
}

std::uint64_t BufferedRecords::lent() const {
  const std::lock_guard lock(mutex_);
  return lent_;
}

BufferedRecords::Pending BufferedRecords::pending() const {
  const std::lock_guard lock(mutex_);
  return pending_;
}

// -- Under the lock ----------------------------------------------------------------------------------------

std::deque<BufferedRecords::Entry>::iterator BufferedRecords::behind(std::uint64_t position) {
  return std::partition_point(window_.begin(), window_.end(),
                              [&](const Entry& entry) { return entry.end <= position; });
}

void BufferedRecords::pop_front() {
  window_bytes_ -= text_bytes(*window_.front().delivery.batch);
  window_.pop_front();
}

void BufferedRecords::trim() {
  while (!window_.empty() && state_.done.contains(window_.front().position)) pop_front();
}

void BufferedRecords::release(Entry& entry) {
  if (std::exchange(entry.released, true)) return;
  released_.push_back(entry.delivery);
  waiting_bytes_ -= text_bytes(*entry.delivery.batch);
}

void BufferedRecords::settle_discards(std::uint64_t position, std::uint64_t file_id, Entry* kept,
                                      std::vector<RangeRecord>& ranges) {
  if (discards_.empty()) return;
  auto given_up = discards_.extract(position);
  if (given_up.empty()) return;
  for (Discard& discard : given_up.mapped()) {
    if (kept != nullptr) {
      discard.owed = kept->delivery.batch->owed;
      context_.ledger.discard(*kept->delivery.cursor, std::move(discard));
    } else {
      ranges.push_back({file_id, context_.sink, discard.range.begin, discard.range.end,
                        RangeKind::kDiscardedLater, std::move(discard.reason), discard.range.bytes(),
                        discard.events, wall_now_ns()});
    }
  }
}

void BufferedRecords::publish(std::span<const SinkStateRecord> sink_states, std::vector<RangeRecord> ranges) {
  std::vector<SinkStateRecord> states(sink_states.begin(), sink_states.end());
  states.push_back({context_.sink, std::string(BufferState::kKey), state_.encode()});
  context_.ledger.acknowledge(released_, states, std::move(ranges));
  released_.clear();
}

void BufferedRecords::forget(std::uint64_t events, std::uint64_t bytes, bool durable) {
  pending_.events -= std::min(events, pending_.events);
  pending_.bytes -= std::min(bytes, pending_.bytes);
  if (!durable) return;
  state_.events -= std::min(events, state_.events);
  state_.bytes -= std::min(bytes, state_.bytes);
}

void BufferedRecords::count_lost(std::uint64_t events) {
  if (events == 0) return;
  context_.metrics.received_events.add(events);
  context_.metrics.discarded("buffer_damaged", events);
}

void BufferedRecords::count_rest() {
  if (state_.done.low() != next_position_) return;
  if (state_.events != 0) {
    context_.log.error(context_.sink, "{} events of the buffer's lost ranges are lost", state_.events);
  }
  count_lost(state_.events);
  pending_ = {};
  state_.events = state_.bytes = 0;
}

}  // namespace logflume
