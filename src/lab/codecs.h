// The compressors that `lab compress` and `tune` compare, behind one call each way: a block, as a batch is
// one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sink/sink_config.h"

namespace logflume {

// Threads: one. Ownership: keeps its context between blocks, as a sink does.
class Codec {
 public:
  virtual ~Codec() = default;
  // REQUIRES: room for bound(text.size()). Returns the size of what it wrote to `to`; 0: it could not.
  virtual std::size_t compress(std::string_view text, std::span<char> to) = 0;
  virtual std::size_t bound(std::size_t bytes) const = 0;
  // Returns the size of what it wrote; 0: `from` was no block of this codec, or `to` too small.
  virtual std::size_t decompress(std::string_view from, std::span<char> to) = 0;
};

struct CodecKind {
  std::string name;       // "zstd 3"
  bool thorough = false;  // not in the quick form
  // What the configuration calls it; none: no sink compresses like that.
  std::optional<Compression> compression;
  // To be named where it can be: http has `compression_level`, librdkafka `compression.level`, the file sink
  // nothing. None: the level that each of them takes by itself.
  std::optional<int> level;
  bool http_only = false;  // how http compresses at that level, and nobody else does
  std::unique_ptr<Codec> (*make)() = nullptr;
};

std::span<const CodecKind> codec_kinds();

}  // namespace logflume
