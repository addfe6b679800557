// Lines of syslog and of containers.
#include "parse/syslog_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parse/container_parsers.h"
#include "parse/parse_test_fixture.h"

namespace logflume {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Pair;
using testing::UnorderedElementsAre;

const ParsedLines::Fields kSyntax = {{"fault", "syntax"}};
const ParsedLines::Fields kNoTime = {{"fault", "not_a_time"}};

TEST(SyslogParser, ReadsRfc5424) {
  const auto parser = make_syslog_parser({});
  EXPECT_THAT(
      parse_line(*parser,
                 "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "
                 R"([exampleSDID@32473 iut="3" eventSource="Ap\"p"][a@1] )"
                 "\xEF\xBB\xBF"
                 "An application event"),
      UnorderedElementsAre(
          Pair("facility", "\"local4\""), Pair("severity", "\"notice\""),
          Pair("timestamp", "2003-10-11T22:14:15.003Z"), Pair("hostname", "\"mymachine.example.com\""),
          Pair("appname", "\"evntslog\""), Pair("procid", "null"), Pair("msgid", "\"ID47\""),
          Pair("structured_data", R"({"exampleSDID@32473":{"iut":"3","eventSource":"Ap\"p"},"a@1":{}})"),
          Pair("message", "\"An application event\"")));
  EXPECT_THAT(
      parse_line(*parser, "<34>1 - - su 17 - -"),
      UnorderedElementsAre(Pair("facility", "\"auth\""), Pair("severity", "\"crit\""),
                           Pair("hostname", "null"), Pair("appname", "\"su\""), Pair("procid", "\"17\""),
                           Pair("msgid", "null"), Pair("structured_data", "null")));
  for (const char* line :
       {"<34>1 - - su 17", "<34>1 - - su 17 - x", "<34>1 - - su 17 - [", "<34>1 - - su 17 - [a",
        "<34>1 - - su 17 - [a b=c]", "<34>1 - - su 17 - [a b=\"c]", "<34>1 - - su 17 - [a]x",
        "<34>1 - - su 17 - []", "<192>1 - - - - - -", "<>1 - - - - - -", "<34", "<34>1 -  su 17 - -"})
    EXPECT_EQ(parse_line(*parser, line), kSyntax) << line;
  EXPECT_EQ(parse_line(*parser, "<34>1 yesterday - su 17 - -"), kNoTime);
}

TEST(SyslogParser, ReadsRfc3164AndItsDeviations) {
  const auto parser = make_syslog_parser({});
  EXPECT_THAT(parse_line(*parser, "<34>Oct 11 22:14:15 mymachine su[230]: 'su root' failed"),
              UnorderedElementsAre(Pair("facility", "\"auth\""), Pair("severity", "\"crit\""),
                                   Pair("timestamp", "2025-10-11T22:14:15Z"),
                                   Pair("hostname", "\"mymachine\""), Pair("appname", "\"su\""),
                                   Pair("procid", "\"230\""), Pair("message", "\"'su root' failed\"")));
  // No priority, as in a file; the day with a blank.
  EXPECT_THAT(parse_line(*parser, "Jan  1 00:00:01 host kernel: [ 1.0] up"),
              UnorderedElementsAre(Pair("timestamp", "2026-01-01T00:00:01Z"), Pair("hostname", "\"host\""),
                                   Pair("appname", "\"kernel\""), Pair("message", "\"[ 1.0] up\"")));
  // A modern time, as rsyslog and journald write it.
  EXPECT_THAT(parse_line(*parser, "2026-01-02T03:04:05.5+01:00 host app: text"),
              UnorderedElementsAre(Pair("timestamp", "2026-01-02T02:04:05.5Z"), Pair("hostname", "\"host\""),
                                   Pair("appname", "\"app\""), Pair("message", "\"text\"")));
  // No host, as over /dev/log; no tag; a year; a clock that was not set.
  EXPECT_THAT(parse_line(*parser, "<13>Jan  2 03:04:05 app[1]: text"),
              UnorderedElementsAre(Pair("facility", "\"user\""), Pair("severity", "\"notice\""),
                                   Pair("timestamp", "2026-01-02T03:04:05Z"), Pair("appname", "\"app\""),
                                   Pair("procid", "\"1\""), Pair("message", "\"text\"")));
  EXPECT_THAT(parse_line(*parser, "*Jan  2 2024 03:04:05: host just a text"),
              UnorderedElementsAre(Pair("timestamp", "2024-01-02T03:04:05Z"), Pair("hostname", "\"host\""),
                                   Pair("message", "\"just a text\"")));
  EXPECT_THAT(parse_line(*parser, "Jan 2 3:04:05"),
              UnorderedElementsAre(Pair("timestamp", "2026-01-02T03:04:05Z"), Pair("message", "\"\"")));
  EXPECT_THAT(parse_line(*parser, "Jan  2 03:04:05 one"),
              UnorderedElementsAre(Pair("timestamp", "2026-01-02T03:04:05Z"), Pair("message", "\"one\"")));
  for (const char* line :
       {"", "no time", "<34>no time", "Foo  1 00:00:01 host x: y", "2026-13-02T03:04:05Z host x: y"})
    EXPECT_EQ(parse_line(*parser, line), kNoTime) << line;
  SyslogParserConfig east;
  east.offset_minutes = 60;
  EXPECT_EQ(parse_line(*make_syslog_parser(std::move(east)), "Jan  2 03:04:05 h a: b").at("timestamp"),
            "2026-01-02T02:04:05Z");
}

TEST(KlogParser, ReadsItsLines) {
  const auto parser = make_klog_parser({});
  EXPECT_THAT(
      parse_line(*parser, "W0102 03:04:05.678901      17 server.go:42] cannot [x] do it"),
      UnorderedElementsAre(Pair("level", "\"warning\""), Pair("timestamp", "2026-01-02T03:04:05.678901Z"),
                           Pair("thread_id", "17"), Pair("source_file", "\"server.go\""),
                           Pair("source_line", "42"), Pair("message", "\"cannot [x] do it\"")));
  EXPECT_EQ(parse_line(*parser, "I1231 23:59:59.000000 1 a.go:1]").at("timestamp"), "2025-12-31T23:59:59Z");
  for (const char* line :
       {"", "X0102 03:04:05.678901 17 a.go:1] x", "I0102 03:04:05.678901 17 a.go] x",
        "I0102 03:04:05.678901 17] x", "I0102 03:04:05.678901", "I0102 03:04:05.678901 17 a.go:1 x"})
    EXPECT_EQ(parse_line(*parser, line), kSyntax) << line;
  EXPECT_EQ(parse_line(*parser, "I0132 03:04:05.678901 17 a.go:1] x"), kNoTime);
}

TEST(CriParser, ReadsItsLines) {
  const auto parser = make_cri_parser({});
  EXPECT_THAT(
      parse_line(*parser, "2016-10-06T00:17:09.669794202Z stdout P log content "),
      UnorderedElementsAre(Pair("timestamp", "2016-10-06T00:17:09.669794202Z"), Pair("stream", "\"stdout\""),
                           Pair("partial", "true"), Pair("message", "\"log content \"")));
  EXPECT_EQ(parse_line(*parser, "2016-10-06T00:17:09+02:00 stderr F").at("message"), "\"\"");
  EXPECT_EQ(parse_line(*parser, "2016-10-06T00:17:09+02:00 stderr F:x y").at("partial"), "false");
  for (const char* line :
       {"", "2016-10-06T00:17:09Z stdout", "2016-10-06T00:17:09Z out F x", "2016-10-06T00:17:09Z stdout X x"})
    EXPECT_EQ(parse_line(*parser, line), kSyntax) << line;
  EXPECT_EQ(parse_line(*parser, "2016-10-06 stdout F x"), kNoTime);
}

TEST(CriParser, AnEventOfSeveralLinesIsOneMessage) {
  const auto parser = make_cri_parser({});
  EXPECT_THAT(parse_line(*parser,
                         "2016-10-06T00:17:09Z stderr F Error: x\n2016-10-06T00:17:10Z stderr P \tat a.\n"
                         "2016-10-06T00:17:10Z stderr P b(c)\n2016-10-06T00:17:10Z stderr F ;\n"
                         "2016-10-06T00:17:11Z stderr F \nno such line\n2016-10-06T00:17:12Z stderr P more"),
              UnorderedElementsAre(Pair("timestamp", "2016-10-06T00:17:09Z"), Pair("stream", "\"stderr\""),
                                   Pair("partial", "true"),
                                   Pair("message", "\"Error: x\n\tat a.b(c);\n\nno such line\nmore\"")));
  EXPECT_EQ(parse_line(*parser, "no such line\n2016-10-06T00:17:09Z stderr F x"), kSyntax);
}

TEST(DockerJsonParser, ReadsItsLines) {
  const auto parser = make_docker_json_parser({});
  EXPECT_THAT(
      parse_line(*parser,
                 R"({"log":"say \"hi\"\n","stream":"stdout","time":"2016-10-06T00:17:09.669794202Z"})"),
      UnorderedElementsAre(Pair("timestamp", "2016-10-06T00:17:09.669794202Z"), Pair("stream", "\"stdout\""),
                           Pair("partial", "false"), Pair("message", "\"say \"hi\"\"")));
  const auto with = [&](const std::string& log) {
    return parse_line(*parser,
                      R"({"log":)" + log + R"(,"stream":"stderr","time":"2016-10-06T00:17:09+02:00"})");
  };
  EXPECT_THAT(with("\"no newline\""),
              AllOf(Contains(Pair("message", "\"no newline\"")), Contains(Pair("partial", "true"))));
  EXPECT_THAT(with(R"("a\n\n")"),
              AllOf(Contains(Pair("message", "\"a\n\"")), Contains(Pair("partial", "false"))));
  EXPECT_THAT(with(R"("a\\n")"),
              AllOf(Contains(Pair("message", "\"a\\n\"")), Contains(Pair("partial", "true"))));
  EXPECT_THAT(with(R"("\n")"), AllOf(Contains(Pair("message", "\"\"")), Contains(Pair("partial", "false"))));
  EXPECT_THAT(with("\"\""), AllOf(Contains(Pair("message", "\"\"")), Contains(Pair("partial", "true"))));
  EXPECT_EQ(with("1"), kSyntax);
}

TEST(DockerJsonParser, OtherMembersAreFields) {
  const auto parser = make_docker_json_parser({});
  const std::string line =
      R"({"log":"x\n","stream":"stdout","attrs":{"tag":"a"},"n":1,"time":"2016-10-06T00:17:09Z","partial":"y"})";
  EXPECT_THAT(parse_line(*parser, line),
              UnorderedElementsAre(Pair("timestamp", "2016-10-06T00:17:09Z"), Pair("stream", "\"stdout\""),
                                   Pair("partial", "false"), Pair("message", "\"x\""),
                                   Pair("attrs", R"({"tag":"a"})"), Pair("n", "#1")));
  const auto one = make_docker_json_parser({false, {"message"}});
  const ParsedLines parsed(*one, {line, line});
  EXPECT_THAT(parsed.fields(1), ElementsAre(Pair("message", "\"x\"")));
  EXPECT_EQ(parsed.columns().size(), 1u);
}

TEST(DockerJsonParser, AnEventOfSeveralLinesIsOneMessage) {
  const auto parser = make_docker_json_parser({});
  const auto line = [](const std::string& log, const std::string& time) {
    return R"({"log":")" + log + R"(","stream":"stderr","attrs":{"n":)" + time.substr(3) +
           R"(},"time":"2016-10-06T00:17:)" + time + R"(Z"})";
  };
  EXPECT_THAT(
      parse_line(*parser, line(R"(\"Error\": x\n)", "09.1") + "\n" + line(R"(\tat a.)", "10.2") + "\n" +
                              line("b(c)", "10.3") + "\n" + line(R"(\u00e9;\n)", "10.4") + "\n" +
                              line(R"(\n)", "11.5") + "\nno such line\n" + line("more", "12.6")),
      UnorderedElementsAre(Pair("timestamp", "2016-10-06T00:17:09.1Z"), Pair("stream", "\"stderr\""),
                           Pair("partial", "true"), Pair("attrs", R"({"n":1})"),
                           Pair("message", "\"\"Error\": x\n\tat a.b(c)\xc3\xa9;\n\nno such line\nmore\"")));
  EXPECT_EQ(parse_line(*parser, line("plain", "09.1") + "\n" + line(R"( and plain\n)", "09.2")).at("message"),
            "\"plain and plain\"");
  EXPECT_THAT(parse_line(*parser, line("whole, ", "09.1") + "\n" + R"({"log":"cut \"o\u00)"),
              AllOf(Contains(Pair("message", "\"whole, cut \"o\"")), Contains(Pair("partial", "true"))))
      << "an event that max_line_bytes has cut off";
  EXPECT_EQ(parse_line(*parser, "no such line\n" + line("x", "09.1")), kSyntax);
}

TEST(DockerJsonParser, LeavesOtherLines) {
  const auto parser = make_docker_json_parser({});
  for (const char* line :
       {"", "{}", "x", R"({"log":"x\n","stream":"stdout"})", R"({"log":"x\n","time":"2016-10-06T00:17:09Z"})",
        R"({"stream":"stdout","time":"2016-10-06T00:17:09Z"})",
        R"({"log":"x\n","stream":"stdout","time":"2016-10-06T00:17:09Z"} x)",
        R"({"log":"x\q","stream":"stdout","time":"2016-10-06T00:17:09Z"})",
        R"({"log":"x","stream":null,"time":"2016-10-06T00:17:09Z"})",
        R"({"log":"x","stream":"stdout","time":1})"})
    EXPECT_EQ(parse_line(*parser, line), kSyntax) << line;
  EXPECT_EQ(parse_line(*parser, R"({"log":"x","stream":"stdout","time":"yesterday"})"), kNoTime);
  // A member of the line before is none of this one.
  const ParsedLines parsed(*parser, {R"({"log":"x","stream":"stdout","time":"2016-10-06T00:17:09Z"})", "{}"});
  EXPECT_EQ(parsed.fault(1), ParseFault::kSyntax);
}

}  // namespace
}  // namespace logflume
