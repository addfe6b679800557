#include "checkpoint/cursor.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/clock.h"

namespace logflume {

bool Cursor::mark(FileRange range, const Seam& seam, std::uint64_t bytes, std::uint64_t events) {
  const std::uint64_t acked = acked_.load(std::memory_order_relaxed);
  if (range.end <= acked || range.begin >= range.end) return false;

  if (range.begin <= acked) {
    // The usual case: in order, and nothing waits behind it.
    std::uint64_t end = range.end;
    acked_seam_ = seam;
    account_.delivered_bytes += bytes;
    account_.delivered_events += events;
    if (unusual_) {
      auto& out_of_order = unusual_->out_of_order;
      auto reached = out_of_order.begin();
      while (reached != out_of_order.end() && reached->first <= end) {
        if (reached->second.end > end) {
          end = reached->second.end;
          acked_seam_ = reached->second.seam;
        }
        account_.delivered_bytes += reached->second.bytes;
        account_.delivered_events += reached->second.events;
        reached = out_of_order.erase(reached);
      }
      drop_unusual();
    }
    // Release: who sees the new offset sees what was done before it was acknowledged.
    acked_.store(end, std::memory_order_release);
    return true;
  }

  auto& out_of_order = unusual().out_of_order;
  Done done{range.end, seam, bytes, events};
  const auto next = out_of_order.upper_bound(range.begin);
  if (next != out_of_order.end() && next->first == range.end) {
    done = next->second;
    done.bytes += bytes;
    done.events += events;
    out_of_order.erase(next);
  }
  // A neighbour before it grows instead of getting a neighbour.
  if (const auto after = out_of_order.lower_bound(range.begin); after != out_of_order.begin()) {
    const auto previous = std::prev(after);
    if (previous->second.end == range.begin) {
      done.bytes += previous->second.bytes;
      done.events += previous->second.events;
      previous->second = done;
      return false;
    }
  }
  out_of_order.insert_or_assign(range.begin, done);
  return false;
}

void add_discard(std::vector<Discard>& discards, Discard discard) {
  if (!discards.empty()) {
    Discard& last = discards.back();
    if (last.owed.begin == discard.owed.begin && last.range.end == discard.range.begin &&
        last.reason == discard.reason) {
      last.range.end = discard.range.end;
      last.events += discard.events;
      return;
    }
  }
  discards.push_back(std::move(discard));
}

CursorAccount Cursor::settled_account() const {
  CursorAccount account = account_;
  if (!unusual_) return account;
  for (const Discard& discard : unusual_->discards) {
    if (discard.owed.end > acked_.load(std::memory_order_relaxed)) continue;
    account.delivered_bytes -= std::min(discard.range.bytes(), account.delivered_bytes);
    account.delivered_events -= std::min(discard.events, account.delivered_events);
  }
  return account;
}

void Cursor::take_discards(const std::string& sink, std::vector<RangeRecord>& ranges) {
  if (!unusual_) return;
  const std::uint64_t acked = acked_.load(std::memory_order_relaxed);
  const std::int64_t now_ns = wall_now_ns();
  account_ = settled_account();
  std::erase_if(unusual_->discards, [&](Discard& discard) {
    if (discard.owed.end > acked) return false;
    ranges.push_back({file_id_, sink, discard.range.begin, discard.range.end, RangeKind::kDiscarded,
                      std::move(discard.reason), discard.range.bytes(), discard.events, now_ns});
    return true;
  });
  drop_unusual();
}

Cursor::Unusual& Cursor::unusual() {
  if (!unusual_) unusual_ = std::make_unique<Unusual>();
  return *unusual_;
}

void Cursor::drop_unusual() {
  if (unusual_->out_of_order.empty() && unusual_->discards.empty()) unusual_.reset();
}

}  // namespace logflume
