// Streaming decompression of one format, member by member.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"

namespace logflume {

enum class ArchiveFormat { kGzip, kZstd, kBzip2 };

// By an extension of the name (".gz", ".zst", ".bz2"), the last one that tells: "a.log.gz.tmp", which is
// about to be renamed, is no text either. None for any other.
std::optional<ArchiveFormat> archive_format_of(std::string_view path);

enum class Magic {
  kMatches,
  kDiffers,   // no archive, whatever its name says
  kTooShort,  // too few bytes yet to tell
};
Magic compare_magic(ArchiveFormat format, std::string_view head);
constexpr std::size_t kMagicBytesMax = 4;

// Threads: one. A member is a gzip member, a zstd frame or a bzip2 stream; a file holds one or more.
class ArchiveDecoder {
 public:
  struct Step {
    std::size_t consumed = 0;
    std::size_t produced = 0;
    bool member_ended = false;  // its checksum was right; more input begins another one
  };
  virtual ~ArchiveDecoder() = default;
  // `from` may be empty, to get what is still inside. No progress: more input is needed.
  // Errors: kCorrupt (also a checksum that does not match), kNoMemory.
  virtual Result<Step> decode(std::span<const char> from, std::span<char> to) = 0;
};

std::unique_ptr<ArchiveDecoder> make_archive_decoder(ArchiveFormat format);

}  // namespace logflume
