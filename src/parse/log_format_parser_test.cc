#include "parse/log_format_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parse/parse_test_fixture.h"

namespace logflume {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

std::unique_ptr<Parser> nginx(std::string format, WantedFields wanted = {}) {
  auto made = make_nginx_parser({std::move(format), std::move(wanted)});
  EXPECT_TRUE(made);
  return std::move(*made);
}
std::unique_ptr<Parser> apache(std::string format) {
  auto made = make_apache_parser({std::move(format), {}});
  EXPECT_TRUE(made);
  return std::move(*made);
}
const ParsedLines::Fields kSyntax = {{"fault", "syntax"}};

constexpr const char* kCombined =
    R"x(203.0.113.7 - ann [10/Oct/2025:13:55:36 -0700] "GET /a?b=1 HTTP/1.1" 200 2326 )x"
    R"x("https://x.example/" "Mozilla/5.0 (X11)")x";

TEST(LogFormatParser, ReadsCombinedLines) {
  const auto parser = nginx("combined");
  EXPECT_THAT(
      parse_line(*parser, kCombined),
      UnorderedElementsAre(
          Pair("remote_addr", "\"203.0.113.7\""), Pair("remote_user", "\"ann\""),
          Pair("time_local", "\"10/Oct/2025:13:55:36 -0700\""), Pair("timestamp", "2025-10-10T20:55:36Z"),
          Pair("request", "\"GET /a?b=1 HTTP/1.1\""), Pair("method", "\"GET\""), Pair("path", "\"/a?b=1\""),
          Pair("protocol", "\"HTTP/1.1\""), Pair("status", "200"), Pair("body_bytes_sent", "2326"),
          Pair("http_referer", "\"https://x.example/\""), Pair("http_user_agent", "\"Mozilla/5.0 (X11)\"")));
  const auto apache_parser = apache("combined");
  auto fields = parse_line(*apache_parser, kCombined);
  EXPECT_EQ(fields.extract("remote_logname").mapped(), "null");
  EXPECT_EQ(fields, parse_line(*parser, kCombined));
}

TEST(LogFormatParser, TakesWhatRequestsReallyHold) {
  const auto parser = nginx("combined");
  const auto with = [&](const std::string& request) {
    return parse_line(*parser, R"(::1 - - [01/Jan/2026:00:00:00 +0000] ")" + request + R"(" 400 0 "-" "-")");
  };
  EXPECT_THAT(with(""), testing::Contains(Pair("request", "\"\"")));
  EXPECT_THAT(with(""), testing::Contains(Pair("remote_user", "null")));
  EXPECT_EQ(with("-").at("request"), "null");
  const auto binary = with(R"(\x16\x03\x01\x00\xEE)");
  EXPECT_EQ(binary.at("request"), std::string("\"\x16\x03\x01\0\xEE\"", 7));
  EXPECT_EQ(binary.count("method"), 0u);
  EXPECT_EQ(with(R"(GET /\x22a\x5Cb HTTP/1.0)").at("path"), R"("/"a\b")");
  EXPECT_EQ(with("GET /a b HTTP/1.0").at("path"), "\"/a b\"");
  EXPECT_EQ(with("GET /").count("path"), 0u);
  EXPECT_EQ(with(" / HTTP/1.0").count("path"), 0u);
  EXPECT_EQ(with(R"(\q\)").at("request"), R"("\q\")");
}

TEST(LogFormatParser, RefusesOtherLines) {
  const auto parser = nginx("combined");
  for (const char* line :
       {"", "-", "a - b", R"(::1 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-)",
        R"(::1 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-"x)",
        R"(::1 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1)"}) {
    EXPECT_EQ(parse_line(*parser, line), kSyntax) << line;
  }
  EXPECT_THAT(parse_line(*parser, R"(::1 - - [01/Foo/2026:00:00:00 +0000] "-" 200 1 "-" "-")"),
              ElementsAre(Pair("fault", "not_a_time")));
  EXPECT_THAT(parse_line(*parser, R"(::1 - - [01/Jan/2026:00:00:00 +0000] "-" 2x0 1 "-" "-")"),
              ElementsAre(Pair("fault", "not_a_number")));
}

TEST(LogFormatParser, CompilesAnyFormat) {
  const auto parser =
      nginx("<$time_iso8601> ${request_time}s up=$upstream_response_time $connection|$custom");
  EXPECT_THAT(parse_line(*parser, "<2026-01-02T03:04:05+01:00> 0.012s up=0.010, 0.200 : - 17|x | y"),
              UnorderedElementsAre(Pair("time_iso8601", "\"2026-01-02T03:04:05+01:00\""),
                                   Pair("timestamp", "2026-01-02T02:04:05Z"), Pair("request_time", "#0.012"),
                                   Pair("upstream_response_time", "\"0.010, 0.200 : -\""),
                                   Pair("connection", "17"), Pair("custom", "\"x | y\"")));
  EXPECT_EQ(parse_line(*parser, "<2026-01-02T03:04:05Z> 0.012s up=0.010 17|").at("upstream_response_time"),
            "#0.010");
}

TEST(LogFormatParser, KeepsTheLaterOfSeveralTimes) {
  const auto parser = nginx("$time_iso8601 $msec $upstream_status");
  EXPECT_THAT(parse_line(*parser, "2026-01-02T03:04:05Z 1767323045.678 502, 200"),
              UnorderedElementsAre(
                  Pair("time_iso8601", "\"2026-01-02T03:04:05Z\""), Pair("msec", "#1767323045.678"),
                  Pair("timestamp", "2026-01-02T03:04:05.678Z"), Pair("upstream_status", "\"502, 200\"")));
}

TEST(LogFormatParser, KnowsApachesDirectives) {
  const auto parser =
      apache(R"(%v:%p %a %{X-Forwarded-For}i %t \"%r\" %>s %O %{us}T %D %{Set-Cookie}o %% %q)");
  EXPECT_THAT(
      parse_line(*parser,
                 R"(www:443 ::1 1.2.3.4 [10/Oct/2025:13:55:36 +0000] "GET / HTTP/2" 200 512 7 8 c=1 % ?x)"),
      UnorderedElementsAre(Pair("server_name", "\"www\""), Pair("server_port", "443"),
                           Pair("remote_addr", "\"::1\""), Pair("http_x_forwarded_for", "\"1.2.3.4\""),
                           Pair("time_local", "\"10/Oct/2025:13:55:36 +0000\""),
                           Pair("timestamp", "2025-10-10T13:55:36Z"), Pair("request", "\"GET / HTTP/2\""),
                           Pair("method", "\"GET\""), Pair("path", "\"/\""), Pair("protocol", "\"HTTP/2\""),
                           Pair("status", "200"), Pair("bytes_sent", "512"), Pair("request_time_us", "8"),
                           Pair("sent_http_set_cookie", "\"c=1\""), Pair("query", "\"?x\"")));
}

TEST(LogFormatParser, SaysWhatIsWrongWithAFormat) {
  const auto error = [](Result<std::unique_ptr<Parser>> made) { return made ? "" : made.error().message; };
  EXPECT_THAT(error(make_nginx_parser({"$a$b", {}})), HasSubstr("nothing stands between a and b"));
  EXPECT_THAT(error(make_nginx_parser({"no variable", {}})), HasSubstr("has no variable"));
  EXPECT_THAT(error(make_nginx_parser({"a $ b", {}})), HasSubstr("without a name at character 3"));
  EXPECT_THAT(error(make_nginx_parser({"${a", {}})), HasSubstr("without a name"));
  EXPECT_THAT(error(make_apache_parser({"%h %Z", {}})), HasSubstr("\"%Z\" is no directive"));
  EXPECT_THAT(error(make_apache_parser({"%h %{a", {}})), HasSubstr("no }"));
  EXPECT_THAT(error(make_apache_parser({"%", {}})), HasSubstr("no directive"));
}

TEST(LogFormatParser, MaterialisesWhatIsWanted) {
  const auto parser = nginx("combined", {false, {"status", "path"}});
  const ParsedLines parsed(*parser, {kCombined, kCombined});
  EXPECT_THAT(parsed.fields(1), UnorderedElementsAre(Pair("status", "200"), Pair("path", "\"/a?b=1\"")));
  EXPECT_EQ(parsed.columns().size(), 2u);
}

}  // namespace
}  // namespace logflume
