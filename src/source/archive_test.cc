#include "source/archive.h"

#include <bzlib.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace logflume {
namespace {

std::string gzip(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(::deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(text.size() + 1024, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(::deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

std::string zstd(std::string_view text) {
  ZSTD_CCtx* context = ::ZSTD_createCCtx();
  ::ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  std::string out(::ZSTD_compressBound(text.size()), '\0');
  out.resize(::ZSTD_compress2(context, out.data(), out.size(), text.data(), text.size()));
  ::ZSTD_freeCCtx(context);
  return out;
}

std::string bzip2(std::string_view text) {
  auto size = static_cast<unsigned>(text.size() + text.size() / 50 + 1024);
  std::string out(size, '\0');
  EXPECT_EQ(::BZ2_bzBuffToBuffCompress(out.data(), &size, const_cast<char*>(text.data()),
                                       static_cast<unsigned>(text.size()), 1, 0, 0),
            BZ_OK);
  out.resize(size);
  return out;
}

std::string compress(ArchiveFormat format, std::string_view text) {
  switch (format) {
    case ArchiveFormat::kGzip:
      return gzip(text);
    case ArchiveFormat::kZstd:
      return zstd(text);
    case ArchiveFormat::kBzip2:
      break;
  }
  return bzip2(text);
}

std::string lines(std::size_t bytes) {
  std::string text;
  for (unsigned n = 0; text.size() < bytes; ++n) text += "line " + std::to_string(n * 2654435761U) + "\n";
  return text;
}

UniqueFd file_of(std::string_view bytes) {
  UniqueFd fd(::memfd_create("archive", MFD_CLOEXEC));
  EXPECT_EQ(::write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return fd;
}

Archive::Stage verify(Archive& archive, int fd) {
  archive.begin({1, 1});
  while (true) {
    const Result<Archive::Stage> stage = archive.verify(fd, Archive::kStepBytes);
    EXPECT_TRUE(stage);
    if (!stage || *stage != Archive::Stage::kUnverified) return archive.stage();
  }
}

std::string read(Archive& archive, int fd, std::uint64_t offset, std::size_t bytes) {
  std::string text(bytes, '\0');
  const Result<std::size_t> got = archive.read(fd, offset, text);
  EXPECT_TRUE(got) << got.error().text();
  text.resize(got ? *got : 0);
  return text;
}

class ArchiveTest : public testing::TestWithParam<ArchiveFormat> {
 protected:
  std::string compressed(std::string_view text) const { return compress(GetParam(), text); }
  Archive archive_{GetParam()};
};

TEST_P(ArchiveTest, KnowsSizeHeadAndTheSeamsThatWereWanted) {
  const std::string text = lines(1'100'000);
  const UniqueFd fd = file_of(compressed(text));
  for (const std::uint64_t offset : {10U, 1024U, 1025U, 700'000U, 1'099'999U}) archive_.want(offset);
  ASSERT_EQ(verify(archive_, fd.get()), Archive::Stage::kComplete);
  EXPECT_EQ(archive_.size_bytes(), text.size());
  EXPECT_EQ(archive_.head(), text.substr(0, 1024));
  for (const std::uint64_t offset : {10U, 1024U, 1025U, 700'000U, 1'099'999U}) {
    ASSERT_NE(archive_.seam_at(offset), nullptr) << offset;
    const std::size_t bytes = std::min<std::size_t>(64, offset);
    EXPECT_EQ(archive_.seam_at(offset)->view(), text.substr(offset - bytes, bytes));
  }
  EXPECT_EQ(archive_.seam_at(text.size())->view(), text.substr(text.size() - 64));
  EXPECT_EQ(archive_.seam_at(5000), nullptr);
}

TEST_P(ArchiveTest, WantsAreTakenOnceTheHeadIsKnown) {
  const std::string text = lines(300'000);
  const UniqueFd fd = file_of(compressed(text));
  archive_.begin({1, 1});
  while (!archive_.head_known()) ASSERT_TRUE(archive_.verify(fd.get(), Archive::kStepBytes));
  for (const std::uint64_t offset : {100U, 1024U, 1030U, 200'000U}) archive_.want(offset);
  while (archive_.stage() == Archive::Stage::kUnverified)
    ASSERT_TRUE(archive_.verify(fd.get(), Archive::kStepBytes));
  for (const std::uint64_t offset : {100U, 1024U, 1030U, 200'000U}) {
    ASSERT_NE(archive_.seam_at(offset), nullptr) << offset;
    EXPECT_EQ(archive_.seam_at(offset)->view(), text.substr(offset - 64, 64));
  }
}

TEST_P(ArchiveTest, ReadsLikeAFileForwardBackwardAndFromTheBeginningAgain) {
  const std::string text = lines(2'000'000);
  const UniqueFd fd = file_of(compressed(text));
  ASSERT_EQ(verify(archive_, fd.get()), Archive::Stage::kComplete);
  archive_.release();
  std::string got;
  while (true) {  // overlapping, as the line reader does
    const std::uint64_t from = got.size() < 64 ? 0 : got.size() - 64;
    const std::string piece = read(archive_, fd.get(), from, 262'144);
    got.resize(from);
    got += piece;
    if (piece.size() < 262'144) break;
  }
  EXPECT_TRUE(got == text);
  EXPECT_EQ(read(archive_, fd.get(), 5, 100), text.substr(5, 100));
  EXPECT_EQ(read(archive_, fd.get(), 1'500'000, 700'000), text.substr(1'500'000));
  EXPECT_EQ(read(archive_, fd.get(), text.size(), 10), "");
  EXPECT_EQ(read(archive_, fd.get(), text.size() + 10, 10), "");
  EXPECT_EQ(read(archive_, fd.get(), 0, text.size()), text);
}

TEST_P(ArchiveTest, AdvancesInStepsAndKeepsWhatIsPinned) {
  const std::string text = lines(1'600'000);
  const UniqueFd fd = file_of(compressed(text));
  ASSERT_EQ(verify(archive_, fd.get()), Archive::Stage::kComplete);
  archive_.release();
  EXPECT_FALSE(archive_.near(1'000'000));
  int steps = 0;
  for (bool there = false; !there; ++steps) {
    const Result<bool> advanced = archive_.advance(fd.get(), 1'000'000, Archive::kStepBytes);
    ASSERT_TRUE(advanced);
    there = *advanced;
    EXPECT_EQ(archive_.heading_for(1'000'000), !there);
  }
  EXPECT_FALSE(archive_.heading_for(900'000));
  EXPECT_GT(steps, 2);
  EXPECT_EQ(read(archive_, fd.get(), 1'000'000, 10), text.substr(1'000'000, 10));
  archive_.pin(1'000'000, 500'000);
  EXPECT_EQ(read(archive_, fd.get(), 1'590'000, 100), text.substr(1'590'000, 100));
  EXPECT_EQ(read(archive_, fd.get(), 1'000'000, 500'000), text.substr(1'000'000, 500'000));
  EXPECT_TRUE(archive_.near(1'590'000));  // it did not have to go back for that
}

TEST_P(ArchiveTest, MembersOneAfterTheOtherAreOneText) {
  const std::string a = lines(400'000), b = lines(10), c = lines(70'000);
  const UniqueFd fd = file_of(compressed(a) + compressed(b) + compressed("") + compressed(c));
  ASSERT_EQ(verify(archive_, fd.get()), Archive::Stage::kComplete);
  EXPECT_EQ(archive_.size_bytes(), a.size() + b.size() + c.size());
  EXPECT_TRUE(read(archive_, fd.get(), 0, 1'000'000) == a + b + c);
}

TEST_P(ArchiveTest, OfNothingIsComplete) {
  const UniqueFd fd = file_of(compressed(""));
  ASSERT_EQ(verify(archive_, fd.get()), Archive::Stage::kComplete);
  EXPECT_EQ(archive_.size_bytes(), 0U);
  EXPECT_TRUE(archive_.head_known());
  EXPECT_EQ(read(archive_, fd.get(), 0, 10), "");
}

TEST_P(ArchiveTest, CutOffAnywhereIsIncomplete) {
  const std::string whole = compressed(lines(3000)) + compressed(lines(500));
  const std::size_t first = compressed(lines(3000)).size();
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    const UniqueFd fd = file_of(whole.substr(0, bytes));
    Archive archive(GetParam());
    EXPECT_EQ(verify(archive, fd.get()),
              bytes == first ? Archive::Stage::kComplete : Archive::Stage::kIncomplete)
        << bytes << " of " << whole.size();
  }
}

TEST_P(ArchiveTest, ADamagedOneNeverPassesForAnotherText) {
  const std::string text = lines(3000);
  const std::string whole = compressed(text);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int bit : {0, 7}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      const UniqueFd fd = file_of(damaged);
      Archive archive(GetParam());
      if (verify(archive, fd.get()) != Archive::Stage::kComplete) continue;
      EXPECT_EQ(read(archive, fd.get(), 0, 10'000), text) << at;  // a bit of the header that means nothing
    }
  }
}

TEST_P(ArchiveTest, WhatFollowsTheLastMemberIsDamage) {
  const UniqueFd fd = file_of(compressed("text\n") + "garbage that is no member at all");
  EXPECT_EQ(verify(archive_, fd.get()), Archive::Stage::kCorrupt);
  EXPECT_GT(archive_.error_at(), 0U);
}

TEST_P(ArchiveTest, GoesOnWhenTheRestIsWritten) {
  const std::string text = lines(100'000);
  const std::string whole = compressed(text);
  const UniqueFd fd = file_of(whole.substr(0, whole.size() / 2));
  ASSERT_EQ(verify(archive_, fd.get()), Archive::Stage::kIncomplete);
  const std::string rest = whole.substr(whole.size() / 2);
  ASSERT_EQ(::write(fd.get(), rest.data(), rest.size()), static_cast<ssize_t>(rest.size()));
  ASSERT_EQ(verify(archive_, fd.get()), Archive::Stage::kComplete);
  EXPECT_EQ(archive_.size_bytes(), text.size());
}

TEST(GzipArchiveTest, ZerosBehindAMemberArePadding) {
  const auto whole = [](const std::string& text) { return compress(ArchiveFormat::kGzip, text); };
  const std::string text = lines(1000);
  for (const std::size_t bytes : {1U, 512U, 300'000U}) {
    const std::string padding(bytes, '\0');
    Archive archive(ArchiveFormat::kGzip);
    const UniqueFd fd = file_of(whole(text) + padding);
    ASSERT_EQ(verify(archive, fd.get()), Archive::Stage::kComplete);
    EXPECT_EQ(read(archive, fd.get(), 0, 1'000'000), text);
    Archive two(ArchiveFormat::kGzip);
    const UniqueFd another = file_of(whole(text) + padding + whole(text) + padding);
    ASSERT_EQ(verify(two, another.get()), Archive::Stage::kComplete);
    EXPECT_EQ(two.size_bytes(), 2 * text.size());
    Archive garbage(ArchiveFormat::kGzip);
    const UniqueFd third = file_of(whole(text) + padding + "garbage");
    EXPECT_EQ(verify(garbage, third.get()), Archive::Stage::kCorrupt);
  }
}

std::string name_of(const testing::TestParamInfo<ArchiveFormat>& info) {
  switch (info.param) {
    case ArchiveFormat::kGzip:
      return "gzip";
    case ArchiveFormat::kZstd:
      return "zstd";
    case ArchiveFormat::kBzip2:
      break;
  }
  return "bzip2";
}

INSTANTIATE_TEST_SUITE_P(Formats, ArchiveTest,
                         testing::Values(ArchiveFormat::kGzip, ArchiveFormat::kZstd, ArchiveFormat::kBzip2),
                         name_of);

TEST(ArchiveFormatTest, IsToldByNameAndFirstBytes) {
  EXPECT_EQ(archive_format_of("/x/a.log.1.gz"), ArchiveFormat::kGzip);
  EXPECT_EQ(archive_format_of("/x/a.zst"), ArchiveFormat::kZstd);
  EXPECT_EQ(archive_format_of("/x/a.bz2"), ArchiveFormat::kBzip2);
  EXPECT_EQ(archive_format_of("/x/a.log.gz.tmp"), ArchiveFormat::kGzip);
  EXPECT_EQ(archive_format_of("/x.gz/a.log"), std::nullopt);
  EXPECT_EQ(archive_format_of("/x/gz"), std::nullopt);
  EXPECT_EQ(archive_format_of("/x/a.log"), std::nullopt);
  for (const ArchiveFormat format : {ArchiveFormat::kGzip, ArchiveFormat::kZstd, ArchiveFormat::kBzip2}) {
    EXPECT_EQ(compare_magic(format, compress(format, "x").substr(0, kMagicBytesMax)), Magic::kMatches);
    EXPECT_EQ(compare_magic(format, compress(format, "x").substr(0, 1)), Magic::kTooShort);
    EXPECT_EQ(compare_magic(format, ""), Magic::kTooShort);
    EXPECT_EQ(compare_magic(format, "line"), Magic::kDiffers);
  }
  EXPECT_EQ(compare_magic(ArchiveFormat::kZstd, "\x5E\x2A\x4D\x18"), Magic::kMatches);  // pzstd
}

}  // namespace
}  // namespace logflume
