#include "sink/compress.h"

#include <isa-l/igzip_lib.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <limits>
#include <new>
#include <vector>

namespace logflume {
namespace {

// The output grows by this much at a time.
constexpr std::size_t kStepBytes = 64 * 1024;
// Kept for the next text; what a giant one needed is given back.
constexpr std::size_t kScratchBytesMax = 2 * 1024 * 1024;

std::size_t total_bytes(std::span<const std::string_view> pieces) {
  std::size_t total = 0;
  for (const std::string_view piece : pieces) total += piece.size();
  return total;
}

class GzipCompressor final : public Compressor {
 public:
  explicit GzipCompressor(int level) {
    constexpr int kGzipFraming = 16;
    if (::deflateInit2(&stream_, level, Z_DEFLATED, MAX_WBITS + kGzipFraming, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~GzipCompressor() override { ::deflateEnd(&stream_); }
  GzipCompressor(const GzipCompressor&) = delete;
  GzipCompressor& operator=(const GzipCompressor&) = delete;

  void append(std::string_view text, std::string& out) override {
    while (!text.empty()) {  // avail_in is an unsigned int
      const std::size_t size = std::min<std::size_t>(text.size(), std::numeric_limits<uInt>::max());
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
      stream_.avail_in = static_cast<uInt>(size);
      deflate(Z_NO_FLUSH, out);
      text.remove_prefix(size);
    }
  }

  void finish(std::string& out) override {
    stream_.next_in = nullptr;
    stream_.avail_in = 0;
    deflate(Z_FINISH, out);
    reset();
  }

  using Compressor::compress;
  std::string compress(std::span<const std::string_view> pieces) override {
    std::string out;
    out.reserve(::deflateBound(&stream_, total_bytes(pieces)));
    for (const std::string_view piece : pieces) append(piece, out);
    finish(out);
    out.shrink_to_fit();
    return out;
  }

  void reset() override { ::deflateReset(&stream_); }

 private:
  void deflate(int flush, std::string& out) {
    do {
      const std::size_t before = out.size();
      out.resize(before + kStepBytes);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      stream_.avail_out = kStepBytes;
      [[maybe_unused]] const int code = ::deflate(&stream_, flush);
      assert(code != Z_STREAM_ERROR);
      out.resize(before + kStepBytes - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

  z_stream stream_{};
};

// gzip by ISA-L, for levels 1 and 2: three times as fast as zlib's, and smaller (docs/design.md).
class FastGzipCompressor final : public Compressor {
 public:
  // REQUIRES: 1 <= level <= kFastGzipLevelMax.
  explicit FastGzipCompressor(int level) : level_(static_cast<std::uint32_t>(level)) { reset(); }

  void append(std::string_view text, std::string& out) override {
    while (!text.empty()) {  // avail_in has 32 bits
      const std::size_t size = std::min<std::size_t>(text.size(), std::numeric_limits<std::uint32_t>::max());
      stream_->next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
      stream_->avail_in = static_cast<std::uint32_t>(size);
      deflate(out);
      text.remove_prefix(size);
    }
  }

  void finish(std::string& out) override {
    stream_->end_of_stream = 1;
    deflate(out);
    reset();
  }

  using Compressor::compress;
  std::string compress(std::span<const std::string_view> pieces) override {
    scratch_.clear();
    for (const std::string_view piece : pieces) append(piece, scratch_);
    finish(scratch_);
    std::string out(scratch_);
    if (scratch_.capacity() > kScratchBytesMax) scratch_ = {};
    return out;
  }

  void reset() override {
    ::isal_deflate_init(stream_.get());
    stream_->level = level_;
    stream_->level_buf = memory_.data();
    stream_->level_buf_size = static_cast<std::uint32_t>(memory_.size());
    stream_->gzip_flag = IGZIP_GZIP;
  }

 private:
  void deflate(std::string& out) {
    do {
      const std::size_t before = out.size();
      out.resize(before + kStepBytes);
      stream_->next_out = reinterpret_cast<std::uint8_t*>(out.data() + before);
      stream_->avail_out = kStepBytes;
      [[maybe_unused]] const int code = ::isal_deflate(stream_.get());
      assert(code == COMP_OK);
      out.resize(before + kStepBytes - stream_->avail_out);
    } while (stream_->avail_out == 0);
  }

  const std::uint32_t level_;
  const std::unique_ptr<isal_zstream> stream_ = std::make_unique<isal_zstream>();  // 80 KiB
  std::vector<std::uint8_t> memory_ =
      std::vector<std::uint8_t>(level_ == 1 ? ISAL_DEF_LVL1_DEFAULT : ISAL_DEF_LVL2_DEFAULT);
  std::string scratch_;
};

class ZstdCompressor final : public Compressor {
 public:
  explicit ZstdCompressor(int level) : context_(::ZSTD_createCCtx()) {
    if (context_ == nullptr) throw std::bad_alloc();
    ::ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, level);
    // Bodies rarely exceed 1 MiB: a larger window would only cost memory.
    ::ZSTD_CCtx_setParameter(context_, ZSTD_c_windowLog, 20);
    ::ZSTD_CCtx_setParameter(context_, ZSTD_c_checksumFlag, 1);
  }
  ~ZstdCompressor() override { ::ZSTD_freeCCtx(context_); }
  ZstdCompressor(const ZstdCompressor&) = delete;
  ZstdCompressor& operator=(const ZstdCompressor&) = delete;

  void append(std::string_view text, std::string& out) override {
    ZSTD_inBuffer input{text.data(), text.size(), 0};
    while (input.pos < input.size) step(input, ZSTD_e_continue, out);
  }

  void finish(std::string& out) override {
    ZSTD_inBuffer input{nullptr, 0, 0};
    while (step(input, ZSTD_e_end, out) != 0) {
    }
  }

  using Compressor::compress;
  std::string compress(std::span<const std::string_view> pieces) override {
    // The same memory each time: pages that are new each time cost a tenth of what is done in them.
    const std::string_view text = pieces.size() == 1 ? pieces[0] : gather(pieces);
    if (const std::size_t bound = ::ZSTD_compressBound(text.size()); scratch_.size() < bound)
      scratch_.resize(bound);
    const std::size_t size =
        ::ZSTD_compress2(context_, scratch_.data(), scratch_.size(), text.data(), text.size());
    if (::ZSTD_isError(size)) throw std::bad_alloc();
    std::string out(scratch_, 0, size);
    if (scratch_.size() > kScratchBytesMax) scratch_ = {};
    if (gathered_.capacity() > kScratchBytesMax) gathered_ = {};
    return out;
  }

  void reset() override { ::ZSTD_CCtx_reset(context_, ZSTD_reset_session_only); }

 private:
  // Returns how much is left to flush.
  std::size_t step(ZSTD_inBuffer& input, ZSTD_EndDirective end, std::string& out) {
    const std::size_t before = out.size();
    out.resize(before + kStepBytes);
    ZSTD_outBuffer output{out.data() + before, kStepBytes, 0};
    const std::size_t left = ::ZSTD_compressStream2(context_, &output, &input, end);
    out.resize(before + output.pos);
    // The parameters are fixed: memory is all that it can lack.
    if (::ZSTD_isError(left)) throw std::bad_alloc();
    return left;
  }

  // In one piece, as it is compressed at once: its matches then reach over all of it.
  std::string_view gather(std::span<const std::string_view> pieces) {
    gathered_.clear();
    gathered_.reserve(total_bytes(pieces));
    for (const std::string_view piece : pieces) gathered_ += piece;
    return gathered_;
  }

  ZSTD_CCtx* context_;
  std::string gathered_;
  std::string scratch_;
};

}  // namespace

std::unique_ptr<Compressor> Compressor::make(Compression compression, std::optional<int> level) {
  switch (compression) {
    case Compression::kGzip:
      if (level && *level >= 1 && *level <= kFastGzipLevelMax)
        return std::make_unique<FastGzipCompressor>(*level);
      return std::make_unique<GzipCompressor>(level.value_or(Z_DEFAULT_COMPRESSION));
    case Compression::kZstd:
      return std::make_unique<ZstdCompressor>(level.value_or(ZSTD_CLEVEL_DEFAULT));
    case Compression::kNone:
    case Compression::kSnappy:
    case Compression::kLz4:
      break;
  }
  return nullptr;
}

std::string_view compression_name(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return "none";
    case Compression::kGzip:
      return "gzip";
    case Compression::kSnappy:
      return "snappy";
    case Compression::kLz4:
      return "lz4";
    case Compression::kZstd:
      return "zstd";
  }
  return {};
}

std::string_view content_encoding(Compression compression) {
  switch (compression) {
    case Compression::kGzip:
      return "gzip";
    case Compression::kZstd:
      return "zstd";
    case Compression::kNone:
    case Compression::kSnappy:
    case Compression::kLz4:
      break;
  }
  return {};
}

}  // namespace logflume
