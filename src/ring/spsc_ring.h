#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cassert>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "ring/cache_line.h"

namespace logflume {

// Bounded FIFO between two stages. Full and empty are answers, not errors.
//
// Threads:    one producer calls try_push() and try_push_batch(), one consumer try_pop(), try_pop_batch() and
//             empty(); all are wait-free. size_approx() and capacity() from any.
// Ownership:  an empty slot holds a T{}: nothing that was popped stays referenced from here.
// Invariants: 0 <= tail_ - head_ <= capacity. Slots in [head_, tail_) belong to the consumer, the rest to the
//             producer. Each position has one writer, so its owner reads it relaxed.
// Model:      spsc_ring.pml, checked exhaustively for small sizes.
//
// `kPadBytes` keeps the two sides' fields apart; anything below a cache line is for the benchmark that shows
// what false sharing costs.
template <typename T, std::size_t kPadBytes = kCacheLineBytes>
class SpscRing {
  static_assert(std::is_nothrow_default_constructible_v<T> && std::is_nothrow_move_constructible_v<T> &&
                    std::is_nothrow_move_assignable_v<T>,
                "an exception half-way through a move would lose the element");

 public:
  // REQUIRES: `capacity`, in elements, is a power of two.
  explicit SpscRing(std::size_t capacity) : mask_(capacity - 1), slots_(std::make_unique<T[]>(capacity)) {
    assert(std::has_single_bit(capacity));
  }
  SpscRing(const SpscRing&) = delete;
  SpscRing& operator=(const SpscRing&) = delete;

  std::size_t capacity() const { return mask_ + 1; }

  // Producer. Returns false, leaving `item` untouched, when full.
  [[nodiscard]] bool try_push(T&& item) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (free_slots(tail, 1) == 0) return false;
    slots_[tail & mask_] = std::move(item);
    // Publishes the slot. Pairs with the acquire of tail_ in filled_slots() and empty().
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // Producer. Moves as many of the first `items` as fit, the rest stay untouched; returns how many.
  [[nodiscard]] std::size_t try_push_batch(std::span<T> items) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    const std::size_t count = std::min(items.size(), free_slots(tail, items.size()));
    if (count == 0) return 0;
    for (std::size_t i = 0; i < count; ++i) slots_[(tail + i) & mask_] = std::move(items[i]);
    // As in try_push(), once for all of them.
    tail_.store(tail + count, std::memory_order_release);
    return count;
  }

  // Consumer. nullopt when empty.
  [[nodiscard]] std::optional<T> try_pop() {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (filled_slots(head, 1) == 0) return std::nullopt;
    std::optional<T> item(take(slots_[head & mask_]));
    // Hands the slot back. Pairs with the acquire of head_ in free_slots().
    head_.store(head + 1, std::memory_order_release);
    return item;
  }

  // Consumer. Fills the first elements of `to` in order; returns how many.
  [[nodiscard]] std::size_t try_pop_batch(std::span<T> to) {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    const std::size_t count = std::min(to.size(), filled_slots(head, to.size()));
    if (count == 0) return 0;
    for (std::size_t i = 0; i < count; ++i) to[i] = take(slots_[(head + i) & mask_]);
    // As in try_pop(), once for all of them.
    head_.store(head + count, std::memory_order_release);
    return count;
  }

  // Consumer. Exact: false means that the next try_pop() succeeds.
  bool empty() const {
    // The acquire pairs with the release of tail_: after Parker::announce() nothing published is overlooked.
    return head_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_acquire);
  }

  // Any thread. Was right at some moment; for gauges, not for decisions.
  std::size_t size_approx() const {
    // head_ first: it never passes a tail_ that is read later, so the difference cannot be negative.
    const std::size_t head = head_.load(std::memory_order_acquire);
    return std::min(tail_.load(std::memory_order_relaxed) - head, capacity());
  }

 private:
  // Producer. Looks at the consumer's line only when fewer than `wanted` slots are known to be free.
  std::size_t free_slots(std::size_t tail, std::size_t wanted) {
    if (capacity() - (tail - cached_head_) < wanted) {
      // Pairs with the release of head_: the consumer is done with the slots before it.
      cached_head_ = head_.load(std::memory_order_acquire);
    }
    return capacity() - (tail - cached_head_);
  }

  // Consumer. Mirror of free_slots().
  std::size_t filled_slots(std::size_t head, std::size_t wanted) {
    if (cached_tail_ - head < wanted) {
      // Pairs with the release of tail_: the producer has filled the slots before it.
      cached_tail_ = tail_.load(std::memory_order_acquire);
    }
    return cached_tail_ - head;
  }

  static T take(T& slot) {
    if constexpr (std::is_trivially_destructible_v<T>) {
      return std::move(slot);  // holds nothing that could be kept alive
    } else {
      return std::exchange(slot, T{});
    }
  }

  static constexpr std::size_t kAlign = std::max(kPadBytes, alignof(std::atomic<std::size_t>));

  const std::size_t mask_;
  const std::unique_ptr<T[]> slots_;
  // One cache line a writer. Each side keeps the other's position as it last saw it, so that it reads the
  // other's line only when the ring looks full (or empty).
  alignas(kAlign) std::atomic<std::size_t> tail_{0};
  std::size_t cached_head_ = 0;
  alignas(kAlign) std::atomic<std::size_t> head_{0};
  std::size_t cached_tail_ = 0;
};

}  // namespace logflume
