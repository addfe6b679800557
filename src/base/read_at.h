// Reading at a place of a file, whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"

namespace logflume {

// Fills `to` with what stands at `offset`, by as many preads as it takes. Fewer bytes than asked for only at
// the end of the file. Errors: those of the system, the message naming the offset.
Result<std::size_t> read_at(int fd, std::uint64_t offset, std::span<char> to);

}  // namespace logflume
