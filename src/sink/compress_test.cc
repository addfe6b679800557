#include "sink/compress.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "sink/decompress_for_test.h"

namespace logflume {
namespace {

std::string log_text(std::size_t bytes) {
  std::string text;
  std::minstd_rand random(7);
  while (text.size() < bytes)
    text += "2026-01-02 INFO request " + std::to_string(random()) + " took a while\n";
  return text;
}

struct Format {
  Compression compression;
  std::optional<int> level;
};

class CompressTest : public testing::TestWithParam<Format> {
 protected:
  static std::unique_ptr<Compressor> make() {
    return Compressor::make(GetParam().compression, GetParam().level);
  }
  static std::string decompressed(std::string_view compressed) {
    return decompress_all(GetParam().compression, compressed);
  }
};

TEST_P(CompressTest, StreamsOfAnySizeRoundTrip) {
  const auto compressor = make();
  ASSERT_NE(compressor, nullptr);
  for (const std::size_t bytes : std::initializer_list<std::size_t>{0, 1, 100, 65'536, 3'000'000}) {
    const std::string text = log_text(bytes);
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += 70'001) compressor->append(text.substr(at, 70'001), out);
    compressor->finish(out);
    EXPECT_EQ(decompressed(out), text) << bytes;
    EXPECT_LT(out.size(), text.size() / 2 + 300);
  }
}

TEST_P(CompressTest, WholeTextsRoundTripAtEachLevel) {
  const std::string text = log_text(1'000'000);
  std::size_t easy = 0;
  for (const int level : {1, 9}) {
    const auto compressor = Compressor::make(GetParam().compression, level);
    for (const std::string_view part : {std::string_view(text), std::string_view(), std::string_view("x\n")})
      EXPECT_EQ(decompressed(compressor->compress(part)), part);
    const std::size_t bytes = compressor->compress(text).size();
    EXPECT_NE(bytes, easy);
    easy = bytes;
  }
}

TEST_P(CompressTest, PiecesAreOneText) {
  const std::string text = log_text(3'000'000);
  const auto compressor = make();
  for (const std::size_t bytes : {3'000'000U, 100U}) {  // the second time in memory that is there
    const std::string_view whole = std::string_view(text).substr(0, bytes);
    std::vector<std::string_view> pieces;
    for (std::size_t at = 0; at < whole.size(); at += 70'001) pieces.push_back(whole.substr(at, 70'001));
    pieces.emplace_back();
    const std::string out = compressor->compress(pieces);
    EXPECT_EQ(decompressed(out), whole);
    EXPECT_LE(out.size(), compressor->compress(whole).size() * 102 / 100);
  }
}

// Goal: lines are bytes. Method: runs of noise, of one byte and of text, cut into pieces of any size.
TEST_P(CompressTest, AnyBytesRoundTrip) {
  std::minstd_rand random(9);
  const std::string text = log_text(300'000);
  const auto compressor = make();
  for (int round = 0; round < 30; ++round) {
    std::string whole;
    for (std::size_t runs = random() % 8; runs > 0; --runs) {
      const std::size_t bytes = random() % (round % 3 == 0 ? 300 : 300'000);
      switch (random() % 3) {
        case 0:
          for (std::size_t i = 0; i < bytes; ++i) whole += static_cast<char>(random() >> 8);
          break;
        case 1:
          whole.append(bytes, static_cast<char>(random() >> 8));
          break;
        default:
          whole.append(text, 0, bytes);
      }
    }
    std::vector<std::string_view> pieces;
    for (std::size_t at = 0; at < whole.size();) {
      pieces.push_back(std::string_view(whole).substr(at, random() % 100'000));
      at += pieces.back().size();
    }
    ASSERT_EQ(decompressed(compressor->compress(pieces)), whole) << round;
    ASSERT_EQ(decompressed(compressor->compress(whole)), whole) << round;
  }
}

TEST_P(CompressTest, FinishedPartsConcatenate) {
  const auto compressor = make();
  std::string out;
  for (const std::string_view text : {"one\n", "two\n", "three\n"}) {
    compressor->append(text, out);
    compressor->finish(out);
  }
  EXPECT_EQ(decompressed(out), "one\ntwo\nthree\n");
}

TEST_P(CompressTest, ResetDropsWhatWasBegun) {
  const auto compressor = make();
  std::string dropped, out;
  compressor->append(log_text(500'000), dropped);
  compressor->reset();
  compressor->append("kept\n", out);
  compressor->finish(out);
  EXPECT_EQ(decompressed(out), "kept\n");
}

INSTANTIATE_TEST_SUITE_P(Formats, CompressTest,
                         testing::Values(Format{Compression::kGzip, {}}, Format{Compression::kGzip, 1},
                                         Format{Compression::kGzip, 2}, Format{Compression::kZstd, {}}),
                         [](const auto& format) {
                           const auto level = format.param.level;
                           return std::string(content_encoding(format.param.compression)) +
                                  (level ? std::to_string(*level) : "");
                         });

TEST(CompressorTest, OnlyStreamFormatsAreMade) {
  EXPECT_EQ(Compressor::make(Compression::kNone), nullptr);
  EXPECT_EQ(Compressor::make(Compression::kSnappy), nullptr);
  EXPECT_EQ(Compressor::make(Compression::kLz4), nullptr);
}

}  // namespace
}  // namespace logflume
