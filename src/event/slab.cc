#include "event/slab.h"

#include <sys/mman.h>

#include <array>
#include <new>

#include "base/allocator.h"

namespace logflume {
namespace {

constexpr std::size_t kPageBytes = 4096;

std::size_t mapped_bytes(std::size_t capacity) {
  return (capacity + Slab::kPadBytes + kPageBytes - 1) / kPageBytes * kPageBytes;
}

}  // namespace

void Slab::destroy() { pool_->recycle(this); }

SlabPool::SlabPool(MemoryBudget& budget) : budget_(budget), unused_(1024) {
  budget_.set_reclaim([this] { trim(); });
}

SlabPool::~SlabPool() {
  budget_.set_reclaim({});
  trim();
}

SlabRef SlabPool::try_acquire() {
  if (auto slab = unused_.try_pop()) return SlabRef(*slab);
  return allocate(kSlabBytes);
}

SlabRef SlabPool::try_acquire_large(std::size_t bytes) {
  if (bytes <= kSlabBytes) return try_acquire();
  return allocate(bytes);
}

SlabRef SlabPool::allocate(std::size_t capacity) {
  const std::size_t bytes = mapped_bytes(capacity);
  if (!budget_.try_reserve(bytes)) return {};
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    count_memory_refusal();
    budget_.release(bytes);
    return {};
  }
  return SlabRef(new Slab(this, static_cast<char*>(memory), capacity));
}

void SlabPool::recycle(Slab* slab) {
  if (slab->capacity_ != kSlabBytes || !unused_.try_push(std::move(slab))) free(slab);
}

void SlabPool::free(Slab* slab) {
  const std::size_t bytes = mapped_bytes(slab->capacity_);
  ::munmap(slab->data_, bytes);
  delete slab;
  budget_.release(bytes);
}

void SlabPool::trim() {
  std::array<Slab*, 64> unused;
  while (const std::size_t count = unused_.try_pop_batch(unused)) {
    for (std::size_t i = 0; i < count; ++i) free(unused[i]);
  }
}

}  // namespace logflume
