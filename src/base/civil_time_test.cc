#include "base/civil_time.h"

#include <gtest/gtest.h>
#include <time.h>

#include <cstdint>
#include <random>

namespace logflume {
namespace {

TEST(CivilTime, ReadsRfc3339) {
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(parse_rfc3339("2026-01-02T03:04:05.678Z"), 1767323045678000000);
  EXPECT_EQ(parse_rfc3339("2026-01-02T04:04:05.678+01:00"), 1767323045678000000);
  EXPECT_EQ(parse_rfc3339("2026-01-01 23:34:05.678000000-03:30"), 1767323045678000000);
  EXPECT_EQ(parse_rfc3339("1969-12-31t23:59:59.5z"), -500'000'000);
  EXPECT_EQ(parse_rfc3339("2016-12-31T23:59:60Z"), parse_rfc3339("2017-01-01T00:00:00Z"));
  EXPECT_EQ(parse_rfc3339("2024-02-29T00:00:00Z"), 1709164800000000000);
  EXPECT_EQ(parse_rfc3339("2262-04-11T23:47:16.854775807Z"), INT64_MAX);
  EXPECT_EQ(parse_rfc3339("1677-09-21T00:12:43.145224192Z"), INT64_MIN);
  for (const char* wrong :
       {"", "2026", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02T03:04:05.Z", "2026-13-02T03:04:05Z",
        "2026-02-30T03:04:05Z", "2023-02-29T00:00:00Z", "2026-01-02T24:04:05Z", "2026-01-02T03:60:05Z",
        "2026-01-02T03:04:61Z", "2026-01-02T03:04:05UTC", "2026-01-02T03:04:05.1234567890Z",
        "2026-01-02T03:04:05Zx", "2262-04-11T23:47:16.854775808Z", "1677-09-21T00:12:43.145224191Z",
        "9999-01-01T00:00:00Z", "+026-01-02T03:04:05Z", "2026-01-02T03:04:05+24:00"}) {
    EXPECT_EQ(parse_rfc3339(wrong), std::nullopt) << wrong;
  }
}

TEST(CivilTime, IsWrittenInItsShortestForm) {
  EXPECT_EQ(format_rfc3339(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_rfc3339(1767323045678000000), "2026-01-02T03:04:05.678Z");
  EXPECT_EQ(format_rfc3339(-1), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(format_rfc3339(INT64_MIN), "1677-09-21T00:12:43.145224192Z");
  EXPECT_EQ(format_rfc3339(INT64_MAX), "2262-04-11T23:47:16.854775807Z");
}

TEST(CivilTime, KnowsOffsets) {
  EXPECT_EQ(parse_utc_offset("UTC"), 0);
  EXPECT_EQ(parse_utc_offset("+01:00"), 60);
  EXPECT_EQ(parse_utc_offset("-0330"), -210);
  EXPECT_EQ(parse_utc_offset("+05"), 300);
  EXPECT_EQ(parse_utc_offset("CET"), std::nullopt);
  EXPECT_EQ(parse_utc_offset("+5"), std::nullopt);
  EXPECT_EQ(parse_utc_offset("+01:"), std::nullopt);
  EXPECT_EQ(parse_utc_offset("+01:000"), std::nullopt);
}

// Method: the C library's calendar, and there and back.
TEST(CivilTime, AgreesWithTheCLibrary) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 20'000; ++i) {
    const auto ns = static_cast<std::int64_t>(random());
    const int offset = static_cast<int>(random() % 2879) - 1439;
    const CivilTime time = civil_time(ns, offset);
    std::int64_t seconds = ns / 1'000'000'000, rest = ns % 1'000'000'000;
    if (rest < 0) {
      rest += 1'000'000'000;
      --seconds;
    }
    const time_t moment = seconds + offset * 60;
    tm expected{};
    ASSERT_NE(::gmtime_r(&moment, &expected), nullptr);
    ASSERT_EQ(time.year, expected.tm_year + 1900) << ns;
    ASSERT_EQ(time.month, expected.tm_mon + 1);
    ASSERT_EQ(time.day, expected.tm_mday);
    ASSERT_EQ(time.hour, expected.tm_hour);
    ASSERT_EQ(time.minute, expected.tm_min);
    ASSERT_EQ(time.second, expected.tm_sec);
    ASSERT_EQ(time.weekday, expected.tm_wday);
    ASSERT_EQ(time.day_of_year, expected.tm_yday);
    ASSERT_EQ(time.nanosecond, rest);
    ASSERT_EQ(from_civil_time(time, offset), ns);
    ASSERT_EQ(parse_rfc3339(format_rfc3339(ns)), ns);
  }
}

}  // namespace
}  // namespace logflume
