#include "sink/compress.h"

#include <gtest/gtest.h>

#include <random>
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

class CompressTest : public testing::TestWithParam<Compression> {};

TEST_P(CompressTest, StreamsOfAnySizeRoundTrip) {
  const auto compressor = Compressor::make(GetParam());
  ASSERT_NE(compressor, nullptr);
  for (const std::size_t bytes : std::initializer_list<std::size_t>{0, 1, 100, 65'536, 3'000'000}) {
    const std::string text = log_text(bytes);
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += 70'001) compressor->append(text.substr(at, 70'001), out);
    compressor->finish(out);
    EXPECT_EQ(decompress_all(GetParam(), out), text) << bytes;
    EXPECT_LT(out.size(), text.size() / 2 + 300);
  }
}

TEST_P(CompressTest, WholeTextsRoundTripAtEachLevel) {
  const std::string text = log_text(1'000'000);
  std::size_t easy = 0;
  for (const int level : {1, 9}) {
    const auto compressor = Compressor::make(GetParam(), level);
    for (const std::string_view part : {std::string_view(text), std::string_view(), std::string_view("x\n")})
      EXPECT_EQ(decompress_all(GetParam(), compressor->compress(part)), part);
    const std::size_t bytes = compressor->compress(text).size();
    EXPECT_NE(bytes, easy);
    easy = bytes;
  }
}

TEST_P(CompressTest, PiecesAreOneText) {
  const std::string text = log_text(3'000'000);
  const auto compressor = Compressor::make(GetParam());
  for (const std::size_t bytes : {3'000'000U, 100U}) {  // the second time in memory that is there
    const std::string_view whole = std::string_view(text).substr(0, bytes);
    std::vector<std::string_view> pieces;
    for (std::size_t at = 0; at < whole.size(); at += 70'001) pieces.push_back(whole.substr(at, 70'001));
    pieces.emplace_back();
    const std::string out = compressor->compress(pieces);
    EXPECT_EQ(decompress_all(GetParam(), out), whole);
    EXPECT_EQ(out, compressor->compress(whole));
  }
}

TEST_P(CompressTest, FinishedPartsConcatenate) {
  const auto compressor = Compressor::make(GetParam());
  std::string out;
  for (const std::string_view text : {"one\n", "two\n", "three\n"}) {
    compressor->append(text, out);
    compressor->finish(out);
  }
  EXPECT_EQ(decompress_all(GetParam(), out), "one\ntwo\nthree\n");
}

TEST_P(CompressTest, ResetDropsWhatWasBegun) {
  const auto compressor = Compressor::make(GetParam());
  std::string dropped, out;
  compressor->append(log_text(500'000), dropped);
  compressor->reset();
  compressor->append("kept\n", out);
  compressor->finish(out);
  EXPECT_EQ(decompress_all(GetParam(), out), "kept\n");
}

INSTANTIATE_TEST_SUITE_P(Formats, CompressTest, testing::Values(Compression::kGzip, Compression::kZstd),
                         [](const auto& format) { return std::string(content_encoding(format.param)); });

TEST(CompressorTest, OnlyStreamFormatsAreMade) {
  EXPECT_EQ(Compressor::make(Compression::kNone), nullptr);
  EXPECT_EQ(Compressor::make(Compression::kSnappy), nullptr);
  EXPECT_EQ(Compressor::make(Compression::kLz4), nullptr);
}

}  // namespace
}  // namespace logflume
