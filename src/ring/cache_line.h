#pragma once

#include <cstddef>

namespace logflume {

// Two fields that different threads write stand at least this far apart. 64 on x86-64 and most arm64;
// fixed, because std::hardware_destructive_interference_size changes with compiler flags.
constexpr std::size_t kCacheLineBytes = 64;

}  // namespace logflume
