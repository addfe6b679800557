#include "checkpoint/sink_ledger.h"

#include <xxhash.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace logflume {

SinkLedger::SinkLedger(std::string sink, std::size_t inflight_bytes_max, std::function<void()> on_dirty)
    : sink_(std::move(sink)),
      inflight_bytes_max_(std::max<std::size_t>(inflight_bytes_max, 1)),
      on_dirty_(std::move(on_dirty)) {}

void note_acknowledged(JournalFeed* journal, std::span<const Delivery> done) {
  if (journal == nullptr || !journal->on() || done.empty()) return;
  const std::int64_t now_ns = wall_now_ns();
  journal->note_all([&](auto take) {
    for (const Delivery& delivery : done) {
      const Batch& batch = *delivery.batch;
      take(BatchNote{batch.id, delivery.cursor->file_id(), batch.in_file, now_ns, batch.events});
    }
  });
}

void SinkLedger::acknowledge(std::span<const Delivery> done, std::span<const SinkStateRecord> states) {
  acknowledge(done, states, {});
}

void SinkLedger::acknowledge(std::span<const Delivery> done, std::span<const SinkStateRecord> states,
                             std::vector<RangeRecord> ranges) {
  if (done.empty() && states.empty() && ranges.empty()) return;
  note_acknowledged(journal_.get(), done);
  std::uint64_t bytes = 0;
  bool first_change = false;
  {
    const std::lock_guard lock(mutex_);
    const bool was_clean = is_clean();
    for (const Delivery& delivery : done) {
      Cursor& cursor = *delivery.cursor;
      assert(&cursor.ledger() == this);
      bytes += delivery.batch->charged_bytes();
      if (mark(delivery) && !cursor.dirty_) {
        cursor.dirty_ = true;
        dirty_cursors_.push_back(delivery.cursor);
      }
    }
    for (const SinkStateRecord& state : states) {
      const auto [known, inserted] = dirty_state_index_.try_emplace(state.key, dirty_states_.size());
      if (inserted) {
        dirty_states_.push_back({sink_, state.key, state.value});
      } else {
        dirty_states_[known->second].value = state.value;
      }
    }
    std::move(ranges.begin(), ranges.end(), std::back_inserter(dirty_ranges_));
    first_change = was_clean && !is_clean();
  }
  // Before the counters: a source that sees nothing in flight may ask for a commit, which has to include it.
  if (first_change && on_dirty_) on_dirty_();
  if (!done.empty()) release(bytes, done.size());
}

// With the mutex. True when the low-watermark moved.
bool SinkLedger::mark(const Delivery& delivery) {
  const Batch& batch = *delivery.batch;
  if (!delivery.together) return delivery.cursor->mark(batch);
  OwedTogether& all = *delivery.together;
  if (batch.owed.bytes() > 0) {
    const bool first = all.range_.bytes() == 0;
    if (first || batch.owed.end > all.range_.end) all.seam_ = batch.seam;
    all.range_ = first ? batch.owed
                       : FileRange{std::min(all.range_.begin, batch.owed.begin),
                                   std::max(all.range_.end, batch.owed.end)};
    all.bytes_ += batch.acknowledged_bytes();
  }
  all.events_ += batch.events;
  assert(all.open_ > 0);
  return --all.open_ == 0 && delivery.cursor->mark(all.range_, all.seam_, all.bytes_, all.events_);
}

bool SinkLedger::add_to(OwedTogether& together, std::size_t deliveries) {
  const std::lock_guard lock(mutex_);
  if (together.open_ == 0) return false;
  together.open_ += deliveries;
  return true;
}

// Why no wake-up is lost. A source that is out of room announces its park, sees in-flight >= max and sleeps.
// Whatever happens next, in-flight has to pass the level to wake at on its way down, by one fetch_sub that
// comes after the value which the source saw; that call's wake() comes after the announcement (had it come
// before, the announcement would have synchronized with it and the source would have seen the lower value).
// Waking at three quarters and not at the first free byte lets a source that outruns its sink sleep for a
// while instead of once for each batch.
void SinkLedger::release(std::uint64_t bytes, std::uint64_t batches) {
  const std::uint64_t bytes_before = inflight_bytes_.fetch_sub(bytes, std::memory_order_release);
  // Pairs with inflight_batches(): who reads 0 sees all cursors moved.
  const std::uint64_t batches_before = inflight_batches_.fetch_sub(batches, std::memory_order_release);
  assert(bytes_before >= bytes && batches_before >= batches);
  (void)batches_before;
  const std::size_t wake_below = wake_below_bytes();
  if (bytes_before < wake_below || bytes_before - bytes >= wake_below) return;
  wake_sources();
}

void SinkLedger::wake_sources() {
  const std::lock_guard lock(sources_mutex_);
  for (Parker* source : sources_) source->wake();
}

void SinkLedger::add_source(Parker& parker) {
  const std::lock_guard lock(sources_mutex_);
  sources_.push_back(&parker);
}

void SinkLedger::remove_source(Parker& parker) {
  const std::lock_guard lock(sources_mutex_);
  const auto it = std::find(sources_.begin(), sources_.end(), &parker);
  if (it != sources_.end()) sources_.erase(it);
}

void SinkLedger::set_inflight_max(std::size_t bytes) {
  inflight_bytes_max_.store(std::max<std::size_t>(bytes, 1), std::memory_order_relaxed);
  wake_sources();  // what waits for room may have it now
}

void SinkLedger::discard(Cursor& cursor, Discard discard) {
  assert(&cursor.ledger() == this);
  const std::lock_guard lock(mutex_);
  cursor.discard(std::move(discard));
}

void SinkLedger::note(const CursorRef& cursor) {
  {
    const std::lock_guard lock(mutex_);
    if (cursor->dirty_) return;
    cursor->dirty_ = true;
    dirty_cursors_.push_back(cursor);
  }
  if (on_dirty_) on_dirty_();
}

void SinkLedger::take(CheckpointChanges& changes) {
  const std::lock_guard lock(mutex_);
  changes.cursors.reserve(changes.cursors.size() + dirty_cursors_.size());
  for (const CursorRef& cursor : dirty_cursors_) {
    cursor->take_discards(sink_, changes.ranges);
    const Seam& seam = cursor->acked_seam_;
    const CursorAccount& account = cursor->account_;
    changes.cursors.push_back({cursor->file_id_, sink_, cursor->acked_.load(std::memory_order_relaxed),
                               seam.size(), XXH3_64bits(seam.view().data(), seam.size()), account.begin,
                               account.delivered_bytes, account.delivered_events});
    cursor->dirty_ = false;
  }
  dirty_cursors_.clear();
  std::move(dirty_ranges_.begin(), dirty_ranges_.end(), std::back_inserter(changes.ranges));
  dirty_ranges_.clear();
  std::move(dirty_states_.begin(), dirty_states_.end(), std::back_inserter(changes.states));
  dirty_states_.clear();
  dirty_state_index_.clear();
}

}  // namespace logflume
