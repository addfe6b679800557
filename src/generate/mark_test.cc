#include "generate/mark.h"

#include <gtest/gtest.h>

#include <string>

namespace logflume {
namespace {

std::string sealed(std::string before, std::string_view stream, std::string_view sequence,
                   std::string_view after) {
  std::string line = std::move(before);
  line.append(kMarkPrefix).append(stream).append(".").append(sequence).append(".");
  const std::size_t checksum_at = line.size();
  line.append("00000000").append(after);
  seal_line(line, checksum_at);
  return line;
}

TEST(MarkTest, IsFoundAnywhereInTheLineWhichStaysAsItWas) {
  for (const std::string_view before : {"", "text ", "a lfm.not.a mark, lfm.x.1.00000000 "}) {
    for (const std::string_view after : {"", " more", "\""}) {
      std::string line = sealed(std::string(before), "web-1", "000000000042", after);
      const std::string original = line;
      const auto mark = check_line(line);
      ASSERT_TRUE(mark) << line;
      EXPECT_EQ(mark->stream, "web-1");
      EXPECT_EQ(mark->sequence, 42U);
      EXPECT_EQ(line, original);
    }
  }
}

TEST(MarkTest, AnyChangedByteOfTheLineIsNoticed) {
  const std::string good = sealed("before ", "s", "7", " after");
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_FALSE(check_line(bad)) << "byte " << i;
  }
}

TEST(MarkTest, CutMergedAndForeignLinesHaveNoMark) {
  const std::string good = sealed("before ", "s", "7", " after");
  for (std::size_t size = 0; size < good.size(); ++size) {
    std::string cut = good.substr(0, size);
    EXPECT_FALSE(check_line(cut)) << cut;
  }
  std::string merged = good + good;
  EXPECT_FALSE(check_line(merged));
  for (std::string foreign : {"", "nothing here", "lfm.", "lfm..1.00000000", "lfm.s..00000000",
                              "lfm.s.0.00000000", "lfm.s.1.", "lfm.s.9999999999999999999999.00000000",
                              "lfm.a-name-that-is-longer-than-any-stream-may-be.1.00000000"}) {
    EXPECT_FALSE(check_line(foreign)) << foreign;
  }
}

TEST(MarkTest, BlankMarkHasItsPartsWhereTheOffsetsSay) {
  const std::string mark = blank_mark(3);
  EXPECT_EQ(mark, "lfm.---.000000000000.00000000");
  EXPECT_EQ(mark_stream_offset(), 4U);
  EXPECT_EQ(mark_sequence_offset(3), 8U);
  EXPECT_EQ(mark_checksum_offset(3), 21U);
}

TEST(MarkTest, StreamNamesHoldOnlyWhatNeedsNoEscaping) {
  EXPECT_TRUE(is_stream_name("web_1-A"));
  EXPECT_TRUE(is_stream_name(std::string(32, 'x')));
  for (const std::string& bad :
       {std::string(), std::string("a.b"), std::string("a b"), std::string("é"), std::string(33, 'x')}) {
    EXPECT_FALSE(is_stream_name(bad)) << bad;
  }
}

}  // namespace
}  // namespace logflume
