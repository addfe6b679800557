#include <atomic>
#include <cstdlib>
#include <new>

#include "transform/counted_allocations_for_test.h"

namespace {
std::atomic<bool> counting{false};
std::atomic<std::uint64_t> allocations{0};
}  // namespace

void* operator new(std::size_t bytes) {
  if (counting.load(std::memory_order_relaxed)) allocations.fetch_add(1, std::memory_order_relaxed);
  void* const memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
// Libraries take memory by this form and give it back by that one: AddressSanitizer wants both to be of a
// kind.
void* operator new(std::size_t bytes, const std::nothrow_t& /*nothrow*/) noexcept {
  if (counting.load(std::memory_order_relaxed)) allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(bytes == 0 ? 1 : bytes);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*bytes*/) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t& /*nothrow*/) noexcept { std::free(memory); }

namespace logflume {

CountedAllocations::CountedAllocations() {
  allocations = 0;
  counting = true;
}
CountedAllocations::~CountedAllocations() { counting = false; }
std::uint64_t CountedAllocations::count() const { return allocations.load(); }

}  // namespace logflume
