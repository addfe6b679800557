#include "lab/codecs.h"

#include <isa-l/igzip_lib.h>
#include <lz4.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <array>
#include <new>
#include <vector>

namespace logflume {
namespace {

class SnappyCodec final : public Codec {
 public:
  std::size_t compress(std::string_view text, std::span<char> to) override {
    std::size_t size = 0;
    snappy::RawCompress(text.data(), text.size(), to.data(), &size);
    return size;
  }
  std::size_t bound(std::size_t bytes) const override { return snappy::MaxCompressedLength(bytes); }
  std::size_t decompress(std::string_view from, std::span<char> to) override {
    std::size_t size = 0;
    if (!snappy::GetUncompressedLength(from.data(), from.size(), &size) || size > to.size()) return 0;
    return snappy::RawUncompress(from.data(), from.size(), to.data()) ? size : 0;
  }
};

class Lz4Codec final : public Codec {
 public:
  std::size_t compress(std::string_view text, std::span<char> to) override {
    return positive(::LZ4_compress_default(text.data(), to.data(), static_cast<int>(text.size()),
                                           static_cast<int>(to.size())));
  }
  std::size_t bound(std::size_t bytes) const override {
    return positive(::LZ4_compressBound(static_cast<int>(bytes)));
  }
  std::size_t decompress(std::string_view from, std::span<char> to) override {
    return positive(::LZ4_decompress_safe(from.data(), to.data(), static_cast<int>(from.size()),
                                          static_cast<int>(to.size())));
  }

 private:
  static std::size_t positive(int size) { return size > 0 ? static_cast<std::size_t>(size) : 0; }
};

template <int kLevel>
class ZstdCodec final : public Codec {
 public:
  ZstdCodec() : compressor_(::ZSTD_createCCtx()), decompressor_(::ZSTD_createDCtx()) {
    if (compressor_ == nullptr || decompressor_ == nullptr) throw std::bad_alloc();
  }
  ~ZstdCodec() override {
    ::ZSTD_freeCCtx(compressor_);
    ::ZSTD_freeDCtx(decompressor_);
  }
  ZstdCodec(const ZstdCodec&) = delete;
  ZstdCodec& operator=(const ZstdCodec&) = delete;

  std::size_t compress(std::string_view text, std::span<char> to) override {
    return good(::ZSTD_compressCCtx(compressor_, to.data(), to.size(), text.data(), text.size(), kLevel));
  }
  std::size_t bound(std::size_t bytes) const override { return ::ZSTD_compressBound(bytes); }
  std::size_t decompress(std::string_view from, std::span<char> to) override {
    return good(::ZSTD_decompressDCtx(decompressor_, to.data(), to.size(), from.data(), from.size()));
  }

 private:
  static std::size_t good(std::size_t size) { return ::ZSTD_isError(size) != 0 ? 0 : size; }

  ZSTD_CCtx* compressor_;
  ZSTD_DCtx* decompressor_;
};

constexpr int kGzipBits = MAX_WBITS + 16;

template <int kLevel>
class ZlibCodec final : public Codec {
 public:
  ZlibCodec() {
    if (::deflateInit2(&compressor_, kLevel, Z_DEFLATED, kGzipBits, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();
    }
    if (::inflateInit2(&decompressor_, kGzipBits) != Z_OK) {
      ::deflateEnd(&compressor_);
      throw std::bad_alloc();
    }
  }
  ~ZlibCodec() override {
    ::deflateEnd(&compressor_);
    ::inflateEnd(&decompressor_);
  }
  ZlibCodec(const ZlibCodec&) = delete;
  ZlibCodec& operator=(const ZlibCodec&) = delete;

  std::size_t compress(std::string_view text, std::span<char> to) override {
    ::deflateReset(&compressor_);
    return run(compressor_, ::deflate, text, to);
  }
  std::size_t bound(std::size_t bytes) const override {
    return ::deflateBound(const_cast<z_stream*>(&compressor_), bytes);
  }
  std::size_t decompress(std::string_view from, std::span<char> to) override {
    ::inflateReset(&decompressor_);
    return run(decompressor_, ::inflate, from, to);
  }

 private:
  static std::size_t run(z_stream& stream, int (*step)(z_stream*, int), std::string_view from,
                         std::span<char> to) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(from.data()));
    stream.avail_in = static_cast<uInt>(from.size());
    stream.next_out = reinterpret_cast<Bytef*>(to.data());
    stream.avail_out = static_cast<uInt>(to.size());
    return step(&stream, Z_FINISH) == Z_STREAM_END ? stream.total_out : 0;
  }

  z_stream compressor_{};
  z_stream decompressor_{};
};

template <int kLevel>
class IsalCodec final : public Codec {
 public:
  std::size_t compress(std::string_view text, std::span<char> to) override {
    isal_zstream& stream = *stream_;
    ::isal_deflate_stateless_init(&stream);
    stream.level = kLevel;
    stream.level_buf = buffer_.data();
    stream.level_buf_size = static_cast<std::uint32_t>(buffer_.size());
    stream.gzip_flag = IGZIP_GZIP;
    stream.end_of_stream = 1;
    stream.flush = NO_FLUSH;
    stream.next_in = bytes(text);
    stream.avail_in = static_cast<std::uint32_t>(text.size());
    stream.next_out = reinterpret_cast<std::uint8_t*>(to.data());
    stream.avail_out = static_cast<std::uint32_t>(to.size());
    return ::isal_deflate_stateless(&stream) == COMP_OK ? stream.total_out : 0;
  }
  // That of zlib, and stored blocks of 64 KiB at worst.
  std::size_t bound(std::size_t bytes) const override { return bytes + bytes / 1024 + 4096; }
  std::size_t decompress(std::string_view from, std::span<char> to) override {
    inflate_state& state = *state_;
    ::isal_inflate_init(&state);
    state.crc_flag = ISAL_GZIP;
    state.next_in = bytes(from);
    state.avail_in = static_cast<std::uint32_t>(from.size());
    state.next_out = reinterpret_cast<std::uint8_t*>(to.data());
    state.avail_out = static_cast<std::uint32_t>(to.size());
    return ::isal_inflate(&state) == ISAL_DECOMP_OK ? state.total_out : 0;
  }

 private:
  static constexpr std::size_t kBufferBytes = kLevel == 0   ? ISAL_DEF_LVL0_DEFAULT
                                              : kLevel == 1 ? ISAL_DEF_LVL1_DEFAULT
                                              : kLevel == 2 ? ISAL_DEF_LVL2_DEFAULT
                                                            : ISAL_DEF_LVL3_DEFAULT;
  static std::uint8_t* bytes(std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  }

  // Large: not on the stack.
  std::unique_ptr<isal_zstream> stream_ = std::make_unique<isal_zstream>();
  std::unique_ptr<inflate_state> state_ = std::make_unique<inflate_state>();
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(kBufferBytes);
};

template <typename Kind>
std::unique_ptr<Codec> make() {
  return std::make_unique<Kind>();
}

CodecKind kind(std::string name, std::optional<Compression> compression, std::unique_ptr<Codec> (*make_one)(),
               std::optional<int> level = {}, bool thorough = false, bool http_only = false) {
  return {.name = std::move(name),
          .thorough = thorough,
          .compression = compression,
          .level = level,
          .http_only = http_only,
          .make = make_one};
}

constexpr bool kThorough = true;
constexpr bool kHttpOnly = true;

}  // namespace

std::span<const CodecKind> codec_kinds() {
  // Without a level: what sinks take, which is the library's default.
  static const std::array kinds = {
      kind("snappy", Compression::kSnappy, make<SnappyCodec>),
      kind("lz4", Compression::kLz4, make<Lz4Codec>),
      kind("zstd -5", {}, make<ZstdCodec<-5>>, {}, kThorough),
      kind("zstd 1", Compression::kZstd, make<ZstdCodec<1>>, 1),
      kind("zstd 3", Compression::kZstd, make<ZstdCodec<3>>),
      kind("zstd 6", Compression::kZstd, make<ZstdCodec<6>>, 6),
      kind("zstd 9", Compression::kZstd, make<ZstdCodec<9>>, 9, kThorough),
      kind("gzip 1", Compression::kGzip, make<ZlibCodec<1>>, 1),
      kind("gzip 6", Compression::kGzip, make<ZlibCodec<6>>),
      kind("gzip 9", Compression::kGzip, make<ZlibCodec<9>>, 9, kThorough),
      kind("gzip ISA-L 0", {}, make<IsalCodec<0>>, {}, kThorough),
      kind("gzip ISA-L 1", Compression::kGzip, make<IsalCodec<1>>, 1, false, kHttpOnly),
      kind("gzip ISA-L 2", Compression::kGzip, make<IsalCodec<2>>, 2, kThorough, kHttpOnly),
      kind("gzip ISA-L 3", {}, make<IsalCodec<3>>, {}, kThorough),
  };
  return kinds;
}

}  // namespace logflume
