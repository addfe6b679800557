#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "lab/codecs.h"
#include "lab/compress_advice.h"
#include "lab/compress_blocks.h"

namespace logflume {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

const CodecKind& codec(std::string_view name) {
  return *std::ranges::find(codec_kinds(), name, &CodecKind::name);
}

CompressionFigure figure(std::string_view name, std::uint64_t kib, double ratio, double mb) {
  return {.codec = &codec(name), .block_bytes = kib * 1024, .ratio = ratio, .rate = mb * 1e6};
}

TEST(CompressBlocksTest, EachCodecGivesBackWhatItWasGiven) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "2026-11-23 INFO request " + std::to_string(i * i) + " served\n";
  for (const CodecKind& kind : codec_kinds()) {
    SCOPED_TRACE(kind.name);
    for (const std::uint64_t block : {std::uint64_t{1000}, std::uint64_t{16384}, std::uint64_t{1} << 22}) {
      const Result<CompressedBlocks> blocks = compress_blocks(kind, text, block);
      ASSERT_TRUE(blocks) << blocks.error().text();
      EXPECT_LT(blocks->bytes, text.size());
      EXPECT_GT(blocks->bytes, 0U);
    }
    const Result<CompressedBlocks> one = compress_blocks(kind, "x", 16384);
    EXPECT_TRUE(one) << one.error().text();
  }
}

TEST(CompressionChoiceTest, ASlowLinkWantsRatioAndAFastOneSpeed) {
  const std::vector<CompressionFigure> figures = {figure("lz4", 256, 4, 900), figure("zstd 1", 256, 8, 500),
                                                  figure("zstd 3", 256, 9, 350),
                                                  figure("gzip 6", 256, 8, 60)};
  // 12.5 MB/s: all but gzip have speed to spare.
  CompressionChoice choice = best_compression(figures, SinkFamily::kKafka, 12.5e6, 1);
  EXPECT_EQ(choice.codec->name, "zstd 3");
  EXPECT_DOUBLE_EQ(choice.carried, 112.5e6);
  // 125 MB/s: zstd 1 and lz4 carry 500, of which lz4 costs less.
  choice = best_compression(figures, SinkFamily::kKafka, 125e6, 1);
  EXPECT_EQ(choice.codec->name, "lz4");
  EXPECT_EQ(choice.settings(), "compression: lz4, batch.max_bytes: 256KiB");
  // http has no lz4.
  choice = best_compression(figures, SinkFamily::kHttp, 125e6, 1);
  EXPECT_EQ(choice.codec->name, "zstd 1");
  EXPECT_DOUBLE_EQ(choice.carried, 500e6);
  // A file cannot be told a level.
  choice = best_compression(figures, SinkFamily::kFile, 125e6, 1);
  EXPECT_EQ(choice.codec->name, "zstd 3");
  EXPECT_DOUBLE_EQ(choice.carried, 350e6);
  // No compressor keeps up with 10 Gbit/s.
  choice = best_compression(figures, SinkFamily::kHttp, 1250e6, 1);
  EXPECT_EQ(choice.codec, nullptr);
  EXPECT_EQ(choice.settings(), "compression: none");
}

TEST(CompressionChoiceTest, ALevelIsAnOptionOfKafkaAndAKeyOfHttp) {
  const std::vector<CompressionFigure> figures = {figure("zstd 1", 64, 8, 500)};
  EXPECT_EQ(best_compression(figures, SinkFamily::kKafka, 12.5e6, 1).settings(),
            "compression: zstd, options: {compression.level: \"1\"}, batch.max_bytes: 64KiB");
  EXPECT_EQ(best_compression(figures, SinkFamily::kHttp, 12.5e6, 1).settings(),
            "compression: zstd, compression_level: 1, batch.max_bytes: 64KiB");
  EXPECT_EQ(best_compression(figures, SinkFamily::kFile, 12.5e6, 1).codec, nullptr);
}

TEST(CompressionChoiceTest, LowLevelsOfGzipAreIsaLForHttpAndZlibForKafka) {
  const std::vector<CompressionFigure> figures = {figure("gzip 1", 64, 5, 100),
                                                  figure("gzip ISA-L 1", 64, 5, 500)};
  CompressionChoice choice = best_compression(figures, SinkFamily::kHttp, 120e6, 1);
  EXPECT_EQ(choice.codec->name, "gzip ISA-L 1");
  EXPECT_EQ(choice.settings(), "compression: gzip, compression_level: 1, batch.max_bytes: 64KiB");
  choice = best_compression(figures, SinkFamily::kKafka, 12.5e6, 1);
  EXPECT_EQ(choice.codec->name, "gzip 1");
  EXPECT_EQ(best_compression(figures, SinkFamily::kFile, 12.5e6, 1).codec, nullptr);
}

TEST(CompressionChoiceTest, HttpCompressesOnAllCoresKafkaOnFour) {
  const std::vector<CompressionFigure> figures = {figure("zstd 1", 64, 8, 500)};
  EXPECT_DOUBLE_EQ(best_compression(figures, SinkFamily::kKafka, 1000e6, 3).carried, 1500e6);
  EXPECT_DOUBLE_EQ(best_compression(figures, SinkFamily::kKafka, 1000e6, 64).carried, 2000e6);
  EXPECT_DOUBLE_EQ(best_compression(figures, SinkFamily::kHttp, 1000e6, 8).carried, 4000e6);
  EXPECT_EQ(best_compression(figures, SinkFamily::kHttp, 1000e6, 8).cores, 8);
  EXPECT_EQ(best_compression({}, SinkFamily::kHttp, 12.5e6, 1).codec, nullptr);
}

TEST(CompressionChoiceTest, OfBlocksThatAreAsGoodTheSmallest) {
  const std::vector<CompressionFigure> figures = {figure("zstd 3", 16, 6, 300), figure("zstd 3", 256, 9, 350),
                                                  figure("zstd 3", 1024, 9.1, 352),
                                                  figure("zstd 3", 4096, 9.15, 300)};
  EXPECT_EQ(best_compression(figures, SinkFamily::kHttp, 12.5e6, 1).block_bytes, 256U * 1024);
  // A broker takes no batch of 4 MiB.
  const std::vector<CompressionFigure> large = {figure("zstd 3", 4096, 20, 300),
                                                figure("zstd 3", 1024, 5, 300)};
  EXPECT_EQ(best_compression(large, SinkFamily::kHttp, 1e6, 1).block_bytes, 4096U * 1024);
  EXPECT_EQ(best_compression(large, SinkFamily::kKafka, 1e6, 1).block_bytes, 1024U * 1024);
}

TEST(CompressAdviceTest, NamesTheSettingsForALink) {
  LabReport report;
  report.settings = {"codec", "block", "threads"};
  report.columns = {{"rate", "", LabUnit::kBytesPerSecond}, {"ratio", "", LabUnit::kRatio}};
  const auto row = [&report](const char* name, const char* threads, double rate, double ratio) {
    report.rows.push_back({.settings = {name, "256KiB", threads},
                           .figures = {LabFigure{rate, rate, rate}, LabFigure{ratio, ratio, ratio}},
                           .note = {},
                           .error = {},
                           .group = {},
                           .repeats = 5});
  };
  row("zstd 3", "1", 350e6, 9);
  row("zstd 3", "2", 600e6, 9);  // of two cores at once: what they are good for is told by one
  row("gzip 6", "1", 50e6, 8);
  row("gzip ISA-L 1", "1", 300e6, 8);  // of http
  const std::vector<std::string> advice = compress_advice(report, 125e6);
  EXPECT_THAT(advice, Contains(HasSubstr("Over 1 Gbit/s: http carries 350 MB/s of lines")));
  EXPECT_THAT(advice, Contains(HasSubstr("compression: zstd, batch.max_bytes: 256KiB (ratio 9.0); kafka ")));
  EXPECT_THAT(advice, Contains(HasSubstr("7.0x as fast as gzip on these lines")));
  EXPECT_EQ(compress_advice(report, 0).size(), 5U);
  report.machine.cores = 2;
  EXPECT_THAT(compress_advice(report, 125e6),
              Contains(HasSubstr("Over 1 Gbit/s: http carries 700 MB/s of lines with compression: zstd, "
                                 "batch.max_bytes: 256KiB (ratio 9.0, 2 cores)")));
  EXPECT_THAT(compress_advice(report, 125e6), Contains(HasSubstr("http compresses on all cores")));
  report.machine.cores = 1;
  EXPECT_THAT(compress_advice(report, 1250e6),
              Contains(HasSubstr("http carries 1.25 GB/s of lines without compression")));
}

TEST(CompressAdviceTest, LinksAreWrittenInBits) {
  EXPECT_EQ(link_text(125e6), "1 Gbit/s");
  EXPECT_EQ(link_text(12.5e6), "100 Mbit/s");
  EXPECT_EQ(link_text(1250e6), "10 Gbit/s");
  EXPECT_EQ(link_text(1e3), "8 kbit/s");
}

}  // namespace
}  // namespace logflume
