#include "parse/time_format.h"

#include <gtest/gtest.h>

#include "base/civil_time.h"

namespace logflume {
namespace {

const std::int64_t kNow = *parse_rfc3339("2026-01-02T03:04:05Z");

std::string parsed(std::string_view format, std::string_view text, int offset = 0, std::int64_t now = kNow) {
  const auto compiled = TimeFormat::compile(format, offset);
  if (!compiled) return "error: " + compiled.error().message;
  const auto ns = compiled->parse(text, now);
  return ns ? format_rfc3339(*ns) : "-";
}

TEST(TimeFormat, ReadsWhatItsConversionsSay) {
  EXPECT_EQ(parsed("%Y-%m-%d %H:%M:%S", "2026-11-23 07:36:54"), "2026-11-23T07:36:54Z");
  EXPECT_EQ(parsed("%Y-%m-%d %H:%M:%S,%f", "2026-11-23 07:36:54,5"), "2026-11-23T07:36:54.5Z");
  EXPECT_EQ(parsed("%FT%T.%f%z", "2026-11-23T07:36:54.123456789+01:00"), "2026-11-23T06:36:54.123456789Z");
  EXPECT_EQ(parsed("%d/%b/%Y:%T %z", "10/Oct/2000:13:55:36 -0700"), "2000-10-10T20:55:36Z");
  EXPECT_EQ(parsed("%A, %d %B %Y %I:%M:%S %p", "Monday, 23 November 2026 12:00:01 AM"),
            "2026-11-23T00:00:01Z");
  EXPECT_EQ(parsed("%I %p %Y-%m-%d", "12 pm 2026-11-23"), "2026-11-23T12:00:00Z");
  EXPECT_EQ(parsed("%a %b %e %H:%M:%S %Y", "Tue Mar  3 01:02:03 2026"), "2026-03-03T01:02:03Z");
  EXPECT_EQ(parsed("%D %R", "11/23/26 07:36"), "2026-11-23T07:36:00Z");
  EXPECT_EQ(parsed("%y%j", "24366"), "2024-12-31T00:00:00Z");
  EXPECT_EQ(parsed("%s.%f", "1767323045.678"), "2026-01-02T03:04:05.678Z");
  EXPECT_EQ(parsed("100%% %Y-%m-%dZ", "100% 2026-01-02Z"), "2026-01-02T00:00:00Z");
  EXPECT_EQ(parsed("%F %T %z", "2026-11-23 07:36:54 UTC"), "2026-11-23T07:36:54Z");
}

TEST(TimeFormat, RefusesOtherTexts) {
  EXPECT_EQ(parsed("%Y-%m-%d", "2026-02-30"), "-");
  EXPECT_EQ(parsed("%Y-%m-%d", "2026-02-3x"), "-");
  EXPECT_EQ(parsed("%Y-%m-%d", "2026-02-03 "), "-");
  EXPECT_EQ(parsed("%Y-%m-%d", "26-02-03"), "-");
  EXPECT_EQ(parsed("%Y-%m-%d", ""), "-");
  EXPECT_EQ(parsed("%H:%M", "24:00"), "-");
  EXPECT_EQ(parsed("%I %p", "13 pm"), "-");
  EXPECT_EQ(parsed("%Y%j", "2026366"), "-");
  EXPECT_EQ(parsed("%Y%j", "2026000"), "-");
  EXPECT_EQ(parsed("%b", "Foo"), "-");
  EXPECT_EQ(parsed("%F %z", "2026-11-23 CET"), "-");
  EXPECT_EQ(parsed("%F %z", "2026-11-23 "), "-");
}

TEST(TimeFormat, TakesTheYearThatIsNearest) {
  EXPECT_EQ(parsed("%b %d %H:%M:%S", "Jan  1 00:00:00"), "2026-01-01T00:00:00Z");
  EXPECT_EQ(parsed("%b %d %H:%M:%S", "Dec 31 23:59:59"), "2025-12-31T23:59:59Z");
  const std::int64_t december = *parse_rfc3339("2026-12-31T23:59:00Z");
  EXPECT_EQ(parsed("%b %d %H:%M:%S", "Jan  1 00:00:01", 0, december), "2027-01-01T00:00:01Z");
  EXPECT_EQ(parsed("%b %d %H:%M:%S", "Feb 29 00:00:00", 0, *parse_rfc3339("2025-01-01T00:00:00Z")),
            "2024-02-29T00:00:00Z");
}

TEST(TimeFormat, AsksNobodyForTheTimeZone) {
  EXPECT_EQ(parsed("%F %T", "2026-11-23 07:36:54", 60), "2026-11-23T06:36:54Z");
  EXPECT_EQ(parsed("%F %T%z", "2026-11-23 07:36:54Z", 60), "2026-11-23T07:36:54Z");
}

TEST(TimeFormat, ReadsEpochs) {
  EXPECT_EQ(parsed("epoch", "1767323045"), "2026-01-02T03:04:05Z");
  EXPECT_EQ(parsed("epoch", "1767323045.678"), "2026-01-02T03:04:05.678Z");
  EXPECT_EQ(parsed("epoch", "1767323045678"), "2026-01-02T03:04:05.678Z");
  EXPECT_EQ(parsed("epoch", "1767323045678000"), "2026-01-02T03:04:05.678Z");
  EXPECT_EQ(parsed("epoch", "1767323045678000001"), "2026-01-02T03:04:05.678000001Z");
  EXPECT_EQ(parsed("epoch_ms", "1767323045678.5"), "2026-01-02T03:04:05.6785Z");
  EXPECT_EQ(parsed("epoch_s", "-1"), "1969-12-31T23:59:59Z");
  EXPECT_EQ(parsed("epoch_s", "99999999999999"), "-");
  EXPECT_EQ(parsed("epoch", "x"), "-");
  EXPECT_EQ(parsed("epoch", "1."), "-");
  EXPECT_EQ(parsed("epoch", "--1"), "-");
  EXPECT_EQ(parsed("rfc3339", "2026-01-02T03:04:05Z"), "2026-01-02T03:04:05Z");
}

TEST(TimeFormat, SaysWhichConversionIsWrong) {
  EXPECT_EQ(parsed("%Q", ""), "error: %Q is no conversion that is known");
  EXPECT_EQ(parsed("", ""), "error: an empty format");
}

}  // namespace
}  // namespace logflume
