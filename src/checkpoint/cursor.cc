#include "checkpoint/cursor.h"

#include <iterator>

namespace logflume {

bool Cursor::mark(FileRange range, const Seam& seam) {
  const std::uint64_t acked = acked_.load(std::memory_order_relaxed);
  if (range.end <= acked || range.begin >= range.end) return false;

  if (range.begin <= acked) {
    // The usual case: in order, and nothing waits behind it.
    std::uint64_t end = range.end;
    acked_seam_ = seam;
    auto reached = out_of_order_.begin();
    while (reached != out_of_order_.end() && reached->first <= end) {
      if (reached->second.end > end) {
        end = reached->second.end;
        acked_seam_ = reached->second.seam;
      }
      reached = out_of_order_.erase(reached);
    }
    // Release: who sees the new offset sees what was done before it was acknowledged.
    acked_.store(end, std::memory_order_release);
    return true;
  }

  Done done{range.end, seam};
  const auto next = out_of_order_.upper_bound(range.begin);
  if (next != out_of_order_.end() && next->first == range.end) {
    done = next->second;
    out_of_order_.erase(next);
  }
  // A neighbour before it grows instead of getting a neighbour.
  if (const auto after = out_of_order_.lower_bound(range.begin); after != out_of_order_.begin()) {
    const auto previous = std::prev(after);
    if (previous->second.end == range.begin) {
      previous->second = done;
      return false;
    }
  }
  out_of_order_.insert_or_assign(range.begin, done);
  return false;
}

}  // namespace logflume
