#include "parse/log_format_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <random>

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
  EXPECT_THAT(parse_line(*nginx("combined"), R"(::1 - - [] "-" 200 1 "-" "-")"),
              ElementsAre(Pair("fault", "not_a_time")));
  EXPECT_THAT(parse_line(*nginx("$time_iso8601|$msec|"), "2026-01-02T03:04:05Z|2026-01-02T03:04:05Z|"),
              ElementsAre(Pair("fault", "not_a_time")));
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

// Goal: what a line gives does not depend on the lines around it: neither on what columns make of them, nor
// on what is remembered of one for the next. Method: lines of random parts, some of which are not accepted,
// in one batch and each alone.
TEST(LogFormatParser, ReadsEachLineAsIfItWereAlone) {
  auto one_of = [random = std::mt19937(5)](std::initializer_list<const char*> texts) mutable {
    // The first one is the usual one.
    return std::string(random() % 4 != 0 ? *texts.begin() : texts.begin()[random() % texts.size()]);
  };
  for (const char* format :
       {"combined", R"($time_local|"$request" $status)",
        R"([$msec] $time_iso8601 $body_bytes_sent $upstream_status "$request" $remote_user)"}) {
    for (int round = 0; round < 50; ++round) {
      std::vector<std::string> lines;
      for (int i = 0; i < 40; ++i) {
        std::string line = format == std::string_view("combined")
                               ? R"($remote_addr - $remote_user [$time_local] "$request" $status )"
                                 R"($body_bytes_sent "$http_referer" "$http_user_agent")"
                               : format;
        const auto put = [&](std::string_view name, const std::string& text) {
          const std::size_t at = line.find(name);
          if (at != std::string::npos) line.replace(at, name.size(), text);
        };
        put("$remote_addr", one_of({"203.0.113.7", "::1", "2001:db8:1234:5678:9abc:def0:1234:5678", ""}));
        put("$remote_user", one_of({"-", "ann", R"(a\x20b)", "--"}));
        put("$time_local", one_of({"10/Oct/2025:13:55:36 -0700", "10/Oct/2025:13:55:37 -0700", "-",
                                   "10/Foo/2025:13:55:36 -0700", "10/Oct/2025"}));
        put("$time_iso8601",
            one_of({"2025-10-10T13:55:36+02:00", "2025-10-10T13:55:37.123456789+02:00", "-"}));
        put("$msec", one_of({"1767323045.678", "1767323046", "-", "x"}));
        put("$request", one_of({"GET /a?b=1 HTTP/1.1", "-", "", R"(\x16\x03)", R"(GET /\x22 HTTP/1.0)",
                                "GET /", "OPTIONS  * HTTP/2.0",
                                "GET /a/path/that/is/longer/than/sixty-four/bytes/"
                                "and/so/needs/another/block/of/them HTTP/1.1"}));
        put("$status",
            one_of({"200", "404", "0", "007", "-", "2x0", "", "+5", "-5", "12345678901234567890"}));
        put("$body_bytes_sent", one_of({"2326", "1234567", "12345678", "0", "-"}));
        put("$upstream_status", one_of({"502", "502, 200", "-", "502 : 200"}));
        put("$http_referer", one_of({"https://x.example/", "-", "", R"(\x22)"}));
        put("$http_user_agent", one_of({"Mozilla/5.0 (X11)", "-", "curl", "a\"b"}));
        lines.push_back(line);
      }
      const auto parser = nginx(format);
      const ParsedLines parsed(*parser, lines);
      for (std::size_t row = 0; row < lines.size(); ++row) {
        const ParsedLines alone(*nginx(format), {lines[row]});
        ASSERT_EQ(parsed.fault(row), alone.fault(0)) << lines[row];
        ASSERT_EQ(parsed.fields(row), alone.fields(0)) << lines[row];
      }
    }
  }
}

TEST(LogFormatParser, MaterialisesWhatIsWanted) {
  const auto parser = nginx("combined", {false, {"status", "path"}});
  const ParsedLines parsed(*parser, {kCombined, kCombined});
  EXPECT_THAT(parsed.fields(1), UnorderedElementsAre(Pair("status", "200"), Pair("path", "\"/a?b=1\"")));
  EXPECT_EQ(parsed.columns().size(), 2u);
}

}  // namespace
}  // namespace logflume
