// What a reader makes of compressed output: all members or frames of it, one after the other.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <string>
#include <string_view>
#include <vector>

#include "sink/sink_config.h"

namespace logflume {

inline std::string gunzip(std::string_view data) {
  std::string text;
  while (!data.empty()) {
    z_stream stream{};
    EXPECT_EQ(::inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
    stream.avail_in = static_cast<uInt>(data.size());
    int code = Z_OK;
    std::vector<char> buffer(65536);
    while (code == Z_OK) {
      stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream.avail_out = static_cast<uInt>(buffer.size());
      code = ::inflate(&stream, Z_NO_FLUSH);
      text.append(buffer.data(), buffer.size() - stream.avail_out);
    }
    const std::size_t used = data.size() - stream.avail_in;
    ::inflateEnd(&stream);
    if (code != Z_STREAM_END) {
      ADD_FAILURE() << "not a whole gzip member: " << code;
      return text;
    }
    data.remove_prefix(used);
  }
  return text;
}

inline std::string unzstd(std::string_view data) {
  std::string text;
  ZSTD_DCtx* context = ::ZSTD_createDCtx();
  std::vector<char> buffer(65536);
  ZSTD_inBuffer input{data.data(), data.size(), 0};
  std::size_t left = 0;
  while (input.pos < input.size) {
    ZSTD_outBuffer output{buffer.data(), buffer.size(), 0};
    left = ::ZSTD_decompressStream(context, &output, &input);
    if (::ZSTD_isError(left)) {
      ADD_FAILURE() << ::ZSTD_getErrorName(left);
      break;
    }
    text.append(buffer.data(), output.pos);
  }
  while (left != 0 && !::ZSTD_isError(left)) {  // what the decoder still holds
    ZSTD_outBuffer output{buffer.data(), buffer.size(), 0};
    const std::size_t before = left;
    left = ::ZSTD_decompressStream(context, &output, &input);
    text.append(buffer.data(), output.pos);
    if (output.pos == 0 && left == before) {
      ADD_FAILURE() << "not a whole zstd frame";
      break;
    }
  }
  ::ZSTD_freeDCtx(context);
  return text;
}

inline std::string decompress_all(Compression compression, std::string_view data) {
  switch (compression) {
    case Compression::kGzip:
      return gunzip(data);
    case Compression::kZstd:
      return unzstd(data);
    default:
      return std::string(data);
  }
}

}  // namespace logflume
