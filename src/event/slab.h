// Slab: the refcounted block that reads land in. Every later stage views it; nothing is copied out of it
// that the pipeline does not need.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/intrusive_ptr.h"
#include "event/memory_budget.h"
#include "ring/mpmc_ring.h"

namespace logflume {

class SlabPool;

// Threads:   one producer fills it; once a batch with a view into it has been handed on, those bytes are
//            never written again. References may be taken and dropped anywhere.
// Invariant: data() is 64-byte aligned, and kPadBytes behind capacity() may be read (not used), so that a
//            SIMD scan needs no tail case.
class Slab : public RefCounted<Slab> {
 public:
  static constexpr std::size_t kPadBytes = 64;

  Slab(const Slab&) = delete;

  char* data() { return data_; }
  const char* data() const { return data_; }
  std::size_t capacity() const { return capacity_; }

 private:
  friend class SlabPool;
  friend class RefCounted<Slab>;
  Slab(SlabPool* pool, char* data, std::size_t capacity) : pool_(pool), data_(data), capacity_(capacity) {}
  void destroy();  // back to the pool

  SlabPool* pool_;
  char* data_;
  std::size_t capacity_;
};

using SlabRef = IntrusivePtr<Slab>;

// Slabs of one size, kept for reuse in a lock-free ring that readers take from and sinks give back to.
//
// Threads:   any.
// Lifecycle: outlives every slab of it.
class SlabPool {
 public:
  // Measured sweet spot: stays in L2 from read to scan (docs/design.md).
  static constexpr std::size_t kSlabBytes = 256 * 1024;

  // Every slab is reserved in `budget`, unused ones too until somebody else needs what is left of it.
  explicit SlabPool(MemoryBudget& budget);
  ~SlabPool();
  SlabPool(const SlabPool&) = delete;
  SlabPool& operator=(const SlabPool&) = delete;

  // A slab of kSlabBytes; null when the budget is used up: try again when something was released.
  SlabRef try_acquire();
  // A slab of at least `bytes` for an event that does not fit a usual one. Not pooled.
  SlabRef try_acquire_large(std::size_t bytes);
  MemoryBudget& budget() { return budget_; }
  // Gives the memory of unused slabs back to the system.
  void trim();

 private:
  friend class Slab;
  SlabRef allocate(std::size_t capacity);
  void recycle(Slab* slab);
  void free(Slab* slab);

  MemoryBudget& budget_;
  MpmcRing<Slab*> unused_;
};

}  // namespace logflume
