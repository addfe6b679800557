// Compressed bodies and files: gzip (zlib, ISA-L for its low levels) and zstd, as streams and at once.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sink/sink_config.h"

namespace logflume {

// Levels of gzip up to this one are ISA-L's.
inline constexpr int kFastGzipLevelMax = 2;

// Threads: one. Allocation failure throws std::bad_alloc.
class Compressor {
 public:
  // Null for kNone, and for what is not a stream format here (snappy, lz4): the configuration refuses those.
  // `level`: the library's, its default when absent.
  static std::unique_ptr<Compressor> make(Compression compression, std::optional<int> level = {});
  virtual ~Compressor() = default;

  // Compresses `text`; what is ready of the output is appended to `out`.
  virtual void append(std::string_view text, std::string& out) = 0;
  // Completes the gzip member or zstd frame; the next append() begins a new one. Members and frames may be
  // concatenated: readers take them as one stream.
  virtual void finish(std::string& out) = 0;
  // The pieces, one behind the other, as a whole member or frame of its own. REQUIRES: none was begun.
  virtual std::string compress(std::span<const std::string_view> pieces) = 0;
  std::string compress(std::string_view text) { return compress(std::span(&text, 1)); }
  // Drops what was begun; the next append() begins a new member or frame.
  virtual void reset() = 0;
};

// "gzip", as the configuration and librdkafka call it.
std::string_view compression_name(Compression compression);
// The token of HTTP's Content-Encoding; empty for kNone.
std::string_view content_encoding(Compression compression);

}  // namespace logflume
