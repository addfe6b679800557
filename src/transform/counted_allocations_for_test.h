// Allocations of the whole program.
#pragma once

#include <cstdint>

namespace logflume {

// Counts while it stands. One at a time.
class CountedAllocations {
 public:
  CountedAllocations();
  ~CountedAllocations();
  CountedAllocations(const CountedAllocations&) = delete;
  CountedAllocations& operator=(const CountedAllocations&) = delete;
  std::uint64_t count() const;
};

}  // namespace logflume
