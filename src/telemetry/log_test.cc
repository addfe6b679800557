#include "telemetry/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/printable.h"
#include "telemetry/json_text.h"

namespace logflume {
namespace {

using testing::HasSubstr;
using testing::internal::CaptureStderr;
using testing::internal::GetCapturedStderr;

constexpr std::int64_t kNoon = 1'767'323'045'678'900'000;  // 2026-01-02T03:04:05.6789Z

std::string every_byte() {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  return bytes;
}

bool is_plain(const std::string& text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t length = utf8_length(rest);
    const auto byte = static_cast<unsigned char>(rest[0]);
    if (length == 0 || byte < 0x20 || byte == 0x7F) return false;
    if (length == 2 && byte == 0xC2 && static_cast<unsigned char>(rest[1]) < 0xA0) return false;
    rest.remove_prefix(length);
  }
  return true;
}

TEST(LogTest, TextLinesLookLikeThis) {
  EXPECT_EQ(format_log_line(LogFormat::kText, kNoon, LogLevel::kInfo, "app", "message"),
            "2026-01-02T03:04:05.678Z INFO  app: message");
  EXPECT_EQ(format_log_line(LogFormat::kText, kNoon, LogLevel::kError, "bus", "a\nb\x1b[31m"),
            "2026-01-02T03:04:05.678Z ERROR bus: a\\nb\\x1b[31m");
}

TEST(LogTest, JsonLinesLookLikeThis) {
  EXPECT_EQ(format_log_line(LogFormat::kJson, kNoon, LogLevel::kWarn, "app", "say \"é\"\n\\\x01\xC2\x9B"),
            "{\"timestamp\":\"2026-01-02T03:04:05.678Z\",\"level\":\"warn\",\"component\":\"app\","
            "\"message\":\"say \\\"é\\\"\\n\\\\\\u0001\\u009b\"}");
}

TEST(LogTest, NoByteBreaksALine) {
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
    EXPECT_TRUE(is_plain(format_log_line(format, kNoon, LogLevel::kInfo, every_byte(), every_byte())));
    // Cut UTF-8, overlong forms, surrogates.
    for (const char* text : {"\xE2\x82", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF0\x9F\x98"}) {
      EXPECT_TRUE(is_plain(format_log_line(format, kNoon, LogLevel::kInfo, "c", text)));
    }
  }
}

TEST(LogTest, WritesToStderrAtOrAboveItsLevel) {
  CaptureStderr();
  Log log(LogLevel::kWarn);
  log.info("app", "not {}", "this");
  log.warn("app", "file {} at {}", "/var/log/x", 42);
  EXPECT_FALSE(log.enabled(LogLevel::kDebug));
  log.configure(LogLevel::kDebug, LogFormat::kJson);
  log.debug("app", "{{}}");
  const std::string written = GetCapturedStderr();
  EXPECT_THAT(written, HasSubstr(" WARN  app: file /var/log/x at 42\n"));
  EXPECT_THAT(written, HasSubstr("\"level\":\"debug\",\"component\":\"app\",\"message\":\"{}\"}\n"));
  EXPECT_EQ(std::count(written.begin(), written.end(), '\n'), 2);
}

TEST(LogTest, RepeatedTroubleIsOneLine) {
  CaptureStderr();
  Log log;
  for (int i = 0; i < 1000; ++i) log.limited(LogLevel::kWarn, "bus", "refused", "refused");
  log.limited(LogLevel::kWarn, "bus", "other", "other");
  log.limited(LogLevel::kWarn, "app", "refused", "refused");
  log.limited(LogLevel::kDebug, "app", "hidden", "hidden");
  for (int i = 0; i < 5000; ++i) log.limited(LogLevel::kWarn, "many", std::to_string(i), "many");
  const std::string written = GetCapturedStderr();
  EXPECT_LT(std::count(written.begin(), written.end(), '\n'), 1100);  // however many keys there are
  EXPECT_EQ(written.find("hidden"), std::string::npos);
  EXPECT_THAT(written, HasSubstr("bus: refused\n"));
  EXPECT_THAT(written, HasSubstr("bus: other\n"));
  EXPECT_THAT(written, HasSubstr("app: refused\n"));
}

TEST(JsonTextTest, TimesBeforeTheEpochAreTimesToo) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339(-1), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace logflume
