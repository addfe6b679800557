#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "lab/codecs.h"

namespace logflume {

// Sizes of a block that are tried: what batch.max_bytes may sensibly be.
inline constexpr std::array<std::uint64_t, 5> kCompressBlocks = {16 * 1024, 64 * 1024, 256 * 1024,
                                                                 1024 * 1024, 4 * 1024 * 1024};

struct CompressedBlocks {
  std::uint64_t bytes = 0;        // compressed
  double compress_seconds = 0;    // of the CPU, this thread's: what else runs on the machine does not count
  double decompress_seconds = 0;  // the same
};

// Compresses `text` in blocks, each for itself as a batch is, and decompresses it again. Errors: kCorrupt
// when what came back is not what went in, kNoMemory. REQUIRES: not empty.
Result<CompressedBlocks> compress_blocks(const CodecKind& kind, std::string_view text,
                                         std::uint64_t block_bytes);

}  // namespace logflume
