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

// Bounded FIFO where many stages meet. Full and empty are answers, not errors.
//
// Every slot carries a sequence stamp (D. Vyukov's bounded queue). For the position p that a slot serves
// next:
//   stamp == p        empty: the pusher that moves tail_ from p to p + 1 owns it
//   stamp == p + 1    filled: the popper that moves head_ from p to p + 1 owns it
//   and the popper leaves p + capacity, the stamp of "empty" one lap later.
// Positions are claimed by compare-and-swap, slots handed over by their stamps; nobody waits for anybody.
//
// Threads:    any number on both sides; lock-free. A popper that is suspended between its claim and its stamp
//             makes the ring answer "full" one lap later although others have popped meanwhile; a suspended
//             pusher makes it answer "empty" although others have pushed behind it. Nothing is lost: whoever
//             completes last is the one to wake the waiting side.
// Order:      the elements of one producer arrive in its order.
// Ownership:  an empty slot holds a T{}: nothing that was popped stays referenced from here.
// Model:      mpmc_ring.pml, checked exhaustively for small sizes.
//
// `kPadBytes` keeps slots and positions apart; anything below a cache line is for the benchmark that shows
// what false sharing costs.
template <typename T, std::size_t kPadBytes = kCacheLineBytes>
class MpmcRing {
  static_assert(std::is_nothrow_default_constructible_v<T> && std::is_nothrow_move_constructible_v<T> &&
                    std::is_nothrow_move_assignable_v<T>,
                "an exception after the claim would leave the slot claimed for ever");

 public:
  // REQUIRES: `capacity`, in elements, is a power of two and at least 2 (with one slot the stamps for
  // "filled" and for "empty one lap later" would be the same).
  explicit MpmcRing(std::size_t capacity) : mask_(capacity - 1), slots_(std::make_unique<Slot[]>(capacity)) {
    assert(std::has_single_bit(capacity) && capacity >= 2);
    for (std::size_t i = 0; i < capacity; ++i) slots_[i].stamp.store(i, std::memory_order_relaxed);
  }
  MpmcRing(const MpmcRing&) = delete;
  MpmcRing& operator=(const MpmcRing&) = delete;

  std::size_t capacity() const { return mask_ + 1; }

  // Returns false, leaving `item` untouched, when full.
  [[nodiscard]] bool try_push(T&& item) { return try_push_batch(std::span<T>(&item, 1)) == 1; }

  // Moves as many of the first `items` as fit, the rest stay untouched; returns how many. Those stand
  // together in the ring.
  [[nodiscard]] std::size_t try_push_batch(std::span<T> items) {
    const Claim claim = claim_slots(tail_, 0, items.size());
    for (std::size_t i = 0; i < claim.count; ++i) {
      const std::size_t position = claim.position + i;
      Slot& slot = slots_[position & mask_];
      slot.item = std::move(items[i]);
      // Publishes the element. Pairs with the acquire of the stamp in the popper's claim_slots() and in
      // empty().
      slot.stamp.store(position + 1, std::memory_order_release);
    }
    return claim.count;
  }

  // nullopt when empty.
  [[nodiscard]] std::optional<T> try_pop() {
    const Claim claim = claim_slots(head_, 1, 1);
    if (claim.count == 0) return std::nullopt;
    Slot& slot = slots_[claim.position & mask_];
    std::optional<T> item(take(slot.item));
    release(slot, claim.position);
    return item;
  }

  // Fills the first elements of `to` in order; returns how many.
  [[nodiscard]] std::size_t try_pop_batch(std::span<T> to) {
    const Claim claim = claim_slots(head_, 1, to.size());
    for (std::size_t i = 0; i < claim.count; ++i) {
      const std::size_t position = claim.position + i;
      Slot& slot = slots_[position & mask_];
      to[i] = take(slot.item);
      release(slot, position);
    }
    return claim.count;
  }

  // What try_pop() would find; with several consumers another may come first.
  bool empty() const {
    const std::size_t head = head_.load(std::memory_order_acquire);
    // The acquire pairs with the pusher's release: after Parker::announce() nothing published is overlooked.
    return distance(slots_[head & mask_].stamp.load(std::memory_order_acquire), head + 1) < 0;
  }

  // Was right at some moment; for gauges, not for decisions.
  std::size_t size_approx() const {
    const std::size_t head = head_.load(std::memory_order_acquire);
    const std::ptrdiff_t filled = distance(tail_.load(std::memory_order_acquire), head);
    return static_cast<std::size_t>(std::clamp(filled, std::ptrdiff_t{0}, distance(capacity(), 0)));
  }

 private:
  static constexpr std::size_t kAlign = std::max(kPadBytes, alignof(std::atomic<std::size_t>));

  struct alignas(std::max(kAlign, alignof(T))) Slot {
    std::atomic<std::size_t> stamp{0};
    T item{};
  };
  struct Claim {
    std::size_t position;
    std::size_t count;
  };

  static std::ptrdiff_t distance(std::size_t stamp, std::size_t expected) {
    return static_cast<std::ptrdiff_t>(stamp - expected);
  }

  // Moves `index` over at most `wanted` slots that are ready: whose stamp is their position plus `ready`.
  // Such a slot stays ready until `index` passes it, so the compare-and-swap that moves it proves them all.
  Claim claim_slots(std::atomic<std::size_t>& index, std::size_t ready, std::size_t wanted) {
    if (wanted == 0) return {0, 0};
    wanted = std::min(wanted, capacity());
    std::size_t position = index.load(std::memory_order_relaxed);
    for (;;) {
      // The acquire pairs with the release of the side that left the slot, here and below: it is done with
      // it.
      const std::ptrdiff_t first =
          distance(slots_[position & mask_].stamp.load(std::memory_order_acquire), position + ready);
      if (first < 0) return {position, 0};
      if (first > 0) {  // somebody claimed it since `index` was read
        position = index.load(std::memory_order_relaxed);
        continue;
      }
      std::size_t count = 1;
      while (count < wanted && slots_[(position + count) & mask_].stamp.load(std::memory_order_acquire) ==
                                   position + count + ready) {
        ++count;
      }
      // Relaxed: the claim decides only who; the stamps carry the data. On failure `position` is read anew.
      if (index.compare_exchange_weak(position, position + count, std::memory_order_relaxed)) {
        return {position, count};
      }
    }
  }

  // Hands a popped slot back. Pairs with the acquire of the stamp in the pusher's claim_slots().
  void release(Slot& slot, std::size_t position) {
    slot.stamp.store(position + capacity(), std::memory_order_release);
  }

  static T take(T& item) {
    if constexpr (std::is_trivially_destructible_v<T>) {
      return std::move(item);  // holds nothing that could be kept alive
    } else {
      return std::exchange(item, T{});
    }
  }

  const std::size_t mask_;
  const std::unique_ptr<Slot[]> slots_;
  alignas(kAlign) std::atomic<std::size_t> tail_{0};
  alignas(kAlign) std::atomic<std::size_t> head_{0};
};

}  // namespace logflume
