#include "lab/compress_blocks.h"

#include <algorithm>
#include <new>
#include <string>
#include <vector>

#include "lab/usage.h"

namespace logflume {

Result<CompressedBlocks> compress_blocks(const CodecKind& kind, std::string_view text,
                                         std::uint64_t block_bytes) {
  const std::size_t block = std::min<std::size_t>(block_bytes, text.size());
  try {
    const std::unique_ptr<Codec> codec = kind.make();
    std::string to(codec->bound(block), '\0');
    std::string back(block, '\0');
    std::vector<std::string> compressed;
    CompressedBlocks result;
    const double begin = thread_cpu_seconds();
    for (std::size_t at = 0; at < text.size(); at += block) {
      const std::size_t size = codec->compress(text.substr(at, block), to);
      if (size == 0) return Error{Errc::kCorrupt, 0, kind.name + " did not compress a block"};
      compressed.emplace_back(to, 0, size);
      result.bytes += size;
    }
    result.compress_seconds = thread_cpu_seconds() - begin;
    std::size_t at = 0;
    for (const std::string& one : compressed) {
      const double before = thread_cpu_seconds();
      const std::size_t size = codec->decompress(one, back);
      result.decompress_seconds += thread_cpu_seconds() - before;
      if (std::string_view(back).substr(0, size) != text.substr(at, block)) {
        return Error{Errc::kCorrupt, 0, kind.name + " did not give back what was compressed"};
      }
      at += block;
    }
    // A text that is shorter than the clock can tell.
    constexpr double kLeastSeconds = 1e-9;
    result.compress_seconds = std::max(result.compress_seconds, kLeastSeconds);
    result.decompress_seconds = std::max(result.decompress_seconds, kLeastSeconds);
    return result;
  } catch (const std::bad_alloc&) {
    return Error{Errc::kNoMemory, 0, "compress by " + kind.name};
  }
}

}  // namespace logflume
