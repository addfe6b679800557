#include "base/units.h"

#include <gtest/gtest.h>

namespace logflume {
namespace {

TEST(UnitsTest, BytesTakeBinaryAndDecimalUnits) {
  EXPECT_EQ(*parse_bytes("0"), 0u);
  EXPECT_EQ(*parse_bytes("512"), 512u);
  EXPECT_EQ(*parse_bytes("64KiB"), 65536u);
  EXPECT_EQ(*parse_bytes("10MB"), 10'000'000u);
  EXPECT_EQ(*parse_bytes("1.5GiB"), 1'610'612'736u);
  EXPECT_EQ(*parse_bytes(" 2 kB "), 2000u);
}

TEST(UnitsTest, BadSizesAreErrors) {
  for (const char* text :
       {"", "x", "-1", "1 parsec", "1e400TiB", "50 parsecs", "KiB", "1.2.3MB", "99999999TiB", "nan", "inf"}) {
    EXPECT_FALSE(parse_bytes(text)) << text;
  }
}

TEST(UnitsTest, DurationsNeedAUnit) {
  EXPECT_EQ(*parse_duration("500ms"), 500ms);
  EXPECT_EQ(*parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(*parse_duration("250us"), 250us);
  EXPECT_EQ(*parse_duration("2m"), std::chrono::minutes(2));
  EXPECT_EQ(*parse_duration("0"), 0ms);
  for (const char* text : {"", "5", "-1s", "1 fortnight", "99999999999d", "s"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(UnitsTest, FormatsTheShortestExactForm) {
  EXPECT_EQ(format_bytes(65536), "64KiB");
  EXPECT_EQ(format_bytes(1000), "1000B");
  EXPECT_EQ(format_bytes(0), "0B");
  EXPECT_EQ(format_duration(1500ms), "1500ms");
  EXPECT_EQ(format_duration(90s), "90s");
  EXPECT_EQ(format_duration(std::chrono::minutes(2)), "2m");
}

TEST(UnitsTest, TheSpeedOfALinkIsInBitsOrBytesAndSaysWhich) {
  for (const auto& [text, bytes] : std::vector<std::pair<std::string, std::uint64_t>>{
           {"1Gbit", 125'000'000},
           {"1Gbit/s", 125'000'000},
           {"10Gbps", 1'250'000'000},
           {" 100 Mbit/s ", 12'500'000},
           {"8kbit", 1000},
           {"100MB", 100'000'000},
           {"12.5MB/s", 12'500'000},
           {"1GiB/s", 1'073'741'824},
       }) {
    const Result<std::uint64_t> parsed = parse_link_speed(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, bytes) << text;
  }
  for (const char* wrong : {"", "1", "1000", "fast", "100Mb", "100Mb/s", "Gbit", "-1Gbit", "0Gbit", "1Gbits",
                            "1Xbit", "1e99Gbit", "bps", "100MBps/s"}) {
    EXPECT_FALSE(parse_link_speed(wrong)) << wrong;
  }
  EXPECT_NE(parse_link_speed("100Mb").error().message.find("write Mbit or MB"), std::string::npos);
}

}  // namespace
}  // namespace logflume
