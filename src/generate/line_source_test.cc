#include "generate/line_source.h"

#include <gtest/gtest.h>

#include <regex>

namespace logflume {
namespace {

std::vector<std::string> make_lines(LineFormat format, std::size_t count, std::size_t line_bytes = 0) {
  auto templates = LineTemplates::make(format, 2, line_bytes, 1);
  EXPECT_TRUE(templates) << templates.error().text();
  LineSource source(*templates, "w1", 0);
  source.set_time(1'767'323'045'678'000'000);  // 2026-01-02T03:04:05.678Z
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < count; ++i) {
    std::string line(source.next_size(), '\0');
    EXPECT_EQ(source.next(line.data()), line.size());
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    line.pop_back();
    lines.push_back(std::move(line));
  }
  return lines;
}

constexpr LineFormat kAll[] = {LineFormat::kNginx, LineFormat::kJson, LineFormat::kJava,
                               LineFormat::kSyslog5424, LineFormat::kSyslog3164};

TEST(LineSourceTest, EveryLineOfEveryFormatCarriesItsNumber) {
  for (const LineFormat format : kAll) {
    std::uint64_t expected = 0;
    for (std::string& line : make_lines(format, 5000)) {
      const auto mark = check_line(line);
      ASSERT_TRUE(mark) << line;
      EXPECT_EQ(mark->stream, "w1");
      EXPECT_EQ(mark->sequence, ++expected);
    }
  }
}

TEST(LineSourceTest, LongLinesAreAsLongAsAsked) {
  constexpr std::size_t kBytes = 1024 * 1024;
  for (std::string& line : make_lines(LineFormat::kJava, 3, kBytes)) {
    EXPECT_EQ(line.size() + 1, kBytes);
    EXPECT_TRUE(check_line(line));
  }
}

TEST(LineSourceTest, LinesLookLikeTheirFormat) {
  const std::string mark = R"(lfm\.w1\.\d{12}\.[0-9a-f]{8})";
  const std::regex nginx(R"re([\d.]+ - - \[02/Jan/2026:03:04:05 \+0000\] "(GET|POST) /\S*\?id=)re" + mark +
                         R"re( HTTP/1\.1" \d{3} \d+ "[^"]*" "[^"]*")re");
  const std::regex json(
      R"re(\{"timestamp":"2026-01-02T03:04:05\.678Z","level":.*"message":"[^"\\]*","mark":")re" + mark +
      R"re("\})re");
  const std::regex syslog5424(
      R"re(<\d+>1 2026-01-02T03:04:05\.678000Z \S+ \S+ \d+ ID\d+ \[origin@32473 id=")re" + mark +
      R"re("\] .*)re");
  const std::regex syslog3164(R"re(<\d+>Jan  2 03:04:05 \S+ \S+\[\d+\]: .* id=)re" + mark);
  for (const std::string& line : make_lines(LineFormat::kNginx, 100))
    EXPECT_TRUE(std::regex_match(line, nginx)) << line;
  for (const std::string& line : make_lines(LineFormat::kJson, 100))
    EXPECT_TRUE(std::regex_match(line, json)) << line;
  for (const std::string& line : make_lines(LineFormat::kSyslog5424, 100))
    EXPECT_TRUE(std::regex_match(line, syslog5424)) << line;
  for (const std::string& line : make_lines(LineFormat::kSyslog3164, 100))
    EXPECT_TRUE(std::regex_match(line, syslog3164)) << line;
}

TEST(LineSourceTest, JavaEventsSpanSeveralLinesAndStartWithATime) {
  std::size_t frames = 0;
  std::size_t heads = 0;
  for (const std::string& line : make_lines(LineFormat::kJava, 1000)) {
    heads += line.starts_with("2026-01-02 03:04:05,678 ") ? 1 : 0;
    frames += line.starts_with("\tat ") ? 1 : 0;
  }
  EXPECT_GT(heads, 50U);
  EXPECT_GT(frames, 200U);
}

TEST(LineSourceTest, LinesTakeExactlyTheBytesAskedForAndStaySealed) {
  for (const LineFormat format : kAll) {
    for (const std::size_t bytes : {200U, 512U, 4096U}) {
      for (std::string& line : make_lines(format, 2048, bytes)) {
        ASSERT_EQ(line.size() + 1, bytes) << line;
        ASSERT_TRUE(check_line(line)) << line;
      }
    }
  }
}

TEST(LineSourceTest, AnImpossibleLineSizeIsAnErrorThatSaysWhatIsNeeded) {
  const auto made = LineTemplates::make(LineFormat::kNginx, 2, 40, 1);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::kInvalidArgument);
  EXPECT_NE(made.error().text().find("at least"), std::string::npos);
}

TEST(LineSourceTest, TheSameSeedGivesTheSameLines) {
  EXPECT_EQ(make_lines(LineFormat::kJson, 50), make_lines(LineFormat::kJson, 50));
}

}  // namespace
}  // namespace logflume
