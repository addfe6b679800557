#include "source/archive_decoder.h"

#include <bzlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <string>

namespace logflume {
namespace {

Error corrupt(std::string message) { return {Errc::kCorrupt, 0, std::move(message)}; }

class GzipDecoder final : public ArchiveDecoder {
 public:
  GzipDecoder() : ready_(::inflateInit2(&stream_, kGzipOnly) == Z_OK) {}
  ~GzipDecoder() override { ::inflateEnd(&stream_); }

  Result<Step> decode(std::span<const char> from, std::span<char> to) override {
    if (!ready_) return Error{Errc::kNoMemory, 0, "inflate"};
    // Zeros between and behind members are padding (of tapes and blocks), as for gzip itself.
    if (between_members_) {
      const auto rest = std::find_if(from.begin(), from.end(), [](char byte) { return byte != '\0'; });
      if (rest != from.begin()) return Step{static_cast<std::size_t>(rest - from.begin()), 0, true};
      between_members_ = from.empty();
    }
    // zlib's interface is older than const.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(from.data()));
    stream_.avail_in = static_cast<uInt>(from.size());
    stream_.next_out = reinterpret_cast<Bytef*>(to.data());
    stream_.avail_out = static_cast<uInt>(to.size());
    const int status = ::inflate(&stream_, Z_NO_FLUSH);
    if (status == Z_MEM_ERROR) return Error{Errc::kNoMemory, 0, "inflate"};
    if (status != Z_OK && status != Z_BUF_ERROR && status != Z_STREAM_END) {
      return corrupt(stream_.msg != nullptr ? stream_.msg : "not in gzip format");
    }
    const Step step{from.size() - stream_.avail_in, to.size() - stream_.avail_out, status == Z_STREAM_END};
    if (step.member_ended) {
      ::inflateReset(&stream_);
      between_members_ = true;
    }
    return step;
  }

 private:
  static constexpr int kGzipOnly = 15 + 16;  // the largest window, a gzip header and nothing else
  z_stream stream_{};
  const bool ready_;
  bool between_members_ = false;
};

class ZstdDecoder final : public ArchiveDecoder {
 public:
  Result<Step> decode(std::span<const char> from, std::span<char> to) override {
    if (!context_) return Error{Errc::kNoMemory, 0, "zstd"};
    ZSTD_inBuffer in{from.data(), from.size(), 0};
    ZSTD_outBuffer out{to.data(), to.size(), 0};
    const std::size_t left = ::ZSTD_decompressStream(context_.get(), &out, &in);
    if (::ZSTD_isError(left) != 0) {
      if (::ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation) return Error{Errc::kNoMemory, 0, "zstd"};
      return corrupt(::ZSTD_getErrorName(left));
    }
    return Step{in.pos, out.pos, left == 0};
  }

 private:
  std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context_{::ZSTD_createDCtx(), ::ZSTD_freeDCtx};
};

class Bzip2Decoder final : public ArchiveDecoder {
 public:
  Bzip2Decoder() { begin(); }
  ~Bzip2Decoder() override { ::BZ2_bzDecompressEnd(&stream_); }

  Result<Step> decode(std::span<const char> from, std::span<char> to) override {
    if (!ready_) return Error{Errc::kNoMemory, 0, "bzip2"};
    stream_.next_in = const_cast<char*>(from.data());
    stream_.avail_in = static_cast<unsigned>(from.size());
    stream_.next_out = to.data();
    stream_.avail_out = static_cast<unsigned>(to.size());
    const int status = ::BZ2_bzDecompress(&stream_);
    if (status == BZ_MEM_ERROR) return Error{Errc::kNoMemory, 0, "bzip2"};
    if (status != BZ_OK && status != BZ_STREAM_END) {
      return corrupt(status == BZ_DATA_ERROR_MAGIC ? "not in bzip2 format" : "bzip2 data is damaged");
    }
    const Step step{from.size() - stream_.avail_in, to.size() - stream_.avail_out, status == BZ_STREAM_END};
    if (step.member_ended) {
      ::BZ2_bzDecompressEnd(&stream_);
      begin();
    }
    return step;
  }

 private:
  void begin() {
    stream_ = {};
    ready_ = ::BZ2_bzDecompressInit(&stream_, 0, 0) == BZ_OK;
  }
  bz_stream stream_{};
  bool ready_ = false;
};

Magic compare(std::string_view magic, std::string_view head) {
  if (head.starts_with(magic)) return Magic::kMatches;
  return magic.starts_with(head) ? Magic::kTooShort : Magic::kDiffers;
}

}  // namespace

std::optional<ArchiveFormat> archive_format_of(std::string_view path) {
  std::string_view name = path.substr(path.rfind('/') + 1);
  for (std::size_t dot = name.rfind('.'); dot != name.npos; dot = name.rfind('.')) {
    const std::string_view extension = name.substr(dot + 1);
    if (extension == "gz") return ArchiveFormat::kGzip;
    if (extension == "zst") return ArchiveFormat::kZstd;
    if (extension == "bz2") return ArchiveFormat::kBzip2;
    name = name.substr(0, dot);
  }
  return std::nullopt;
}

Magic compare_magic(ArchiveFormat format, std::string_view head) {
  switch (format) {
    case ArchiveFormat::kGzip:
      return compare("\x1F\x8B", head);
    case ArchiveFormat::kBzip2:
      return compare("BZh", head);
    case ArchiveFormat::kZstd:
      break;
  }
  // A skippable frame may come first: parallel compressors put their index there.
  if (!head.empty() && (static_cast<unsigned char>(head[0]) & 0xF0) == 0x50) {
    const Magic skippable = compare("\x2A\x4D\x18", head.substr(1));
    if (skippable != Magic::kDiffers) return skippable;
  }
  return compare("\x28\xB5\x2F\xFD", head);
}

std::unique_ptr<ArchiveDecoder> make_archive_decoder(ArchiveFormat format) {
  switch (format) {
    case ArchiveFormat::kGzip:
      return std::make_unique<GzipDecoder>();
    case ArchiveFormat::kZstd:
      return std::make_unique<ZstdDecoder>();
    case ArchiveFormat::kBzip2:
      break;
  }
  return std::make_unique<Bzip2Decoder>();
}

}  // namespace logflume
