// CRC-32C (Castagnoli): the checksum of records on disk. Hardware-accelerated, some 10 GB/s.
#pragma once

#include <cstdint>
#include <string_view>

namespace logflume {

// Of `bytes` behind what gave `before`: crc32c("ab") == crc32c("b", crc32c("a")).
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

}  // namespace logflume
