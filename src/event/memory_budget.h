// A ceiling on what the agent keeps of what it read: slabs, and what sinks encode of them. The rings are of a
// fixed size and outside of it. One stands for the whole agent (memory_limit); each sink has a share of it
// for what it encodes, so that one which hangs leaves the others theirs, and leaves the sources theirs.
//
// Threads: any; wait-free, but for what a budget that is used up has to reclaim.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <utility>

namespace logflume {

class MemoryBudget {
 public:
  // What is reserved here is reserved in `whole` too, which outlives it.
  explicit MemoryBudget(std::size_t limit_bytes, MemoryBudget* whole = nullptr)
      : whole_(whole), limit_(limit_bytes) {}

  // False, reserving nothing, when the limit would be passed: that is backpressure, not an error.
  bool try_reserve(std::size_t bytes) {
    if (reserve_now(bytes)) return true;
    if (!reclaim_) return false;
    reclaim_();
    return reserve_now(bytes);
  }
  // Whatever the limit says, for what cannot be smaller: everybody else gets the less until it is released.
  void reserve(std::size_t bytes) {
    const std::size_t before = used_.fetch_add(bytes, std::memory_order_relaxed);
    if (reclaim_ && before + bytes > limit_bytes()) reclaim_();
    if (whole_ != nullptr) whole_->reserve(bytes);
  }
  void release(std::size_t bytes) {
    used_.fetch_sub(bytes, std::memory_order_relaxed);
    if (whole_ != nullptr) whole_->release(bytes);
  }

  std::size_t used_bytes() const { return used_.load(std::memory_order_relaxed); }
  std::size_t limit_bytes() const { return limit_.load(std::memory_order_relaxed); }
  // Called by any thread where the limit would be passed: gives back what is kept for reuse. To be set before
  // the budget is used.
  void set_reclaim(std::function<void()> reclaim) { reclaim_ = std::move(reclaim); }
  void set_limit(std::size_t bytes) { limit_.store(bytes, std::memory_order_relaxed); }

 private:
  bool reserve_now(std::size_t bytes) {
    const std::size_t before = used_.fetch_add(bytes, std::memory_order_relaxed);
    if (before + bytes <= limit_.load(std::memory_order_relaxed) &&
        (whole_ == nullptr || whole_->try_reserve(bytes)))
      return true;
    used_.fetch_sub(bytes, std::memory_order_relaxed);
    return false;
  }

  MemoryBudget* const whole_;
  std::function<void()> reclaim_;
  std::atomic<std::size_t> used_{0};
  std::atomic<std::size_t> limit_;
};

// Bytes of a budget, given back when it goes. Threads: one.
class Reservation {
 public:
  explicit Reservation(MemoryBudget& budget) : budget_(&budget) {}
  Reservation(Reservation&& other) noexcept
      : budget_(other.budget_), bytes_(std::exchange(other.bytes_, 0)) {}
  Reservation& operator=(Reservation&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Reservation() { budget_->release(bytes_); }

  std::size_t bytes() const { return bytes_; }
  // Grows to `bytes`; false, changing nothing, when the budget refuses.
  bool try_grow(std::size_t bytes) {
    if (bytes <= bytes_) return true;
    if (!budget_->try_reserve(bytes - bytes_)) return false;
    bytes_ = bytes;
    return true;
  }
  // The same, whatever the budget says.
  void grow(std::size_t bytes) {
    if (bytes <= bytes_) return;
    budget_->reserve(bytes - bytes_);
    bytes_ = bytes;
  }
  void shrink(std::size_t bytes) {
    if (bytes >= bytes_) return;
    budget_->release(bytes_ - bytes);
    bytes_ = bytes;
  }

 private:
  MemoryBudget* budget_;
  std::size_t bytes_ = 0;
};

}  // namespace logflume
