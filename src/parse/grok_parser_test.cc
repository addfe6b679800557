#include "parse/grok_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parse/grok_patterns.h"
#include "parse/parse_test_fixture.h"

namespace logflume {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

ParsedLines::Fields parsed(const GrokParserConfig& config, const std::string& line) {
  const auto made = make_grok_parser(config);
  EXPECT_TRUE(made) << made.error().message;
  return made ? parse_line(**made, line) : ParsedLines::Fields();
}

std::string message(const std::string& pattern, const GrokPatterns& own = {}) {
  const auto compiled = compile_grok(pattern, own);
  return compiled ? "compiled" : compiled.error().message;
}

// What a pattern takes of a text, from its begin.
std::string taken(const std::string& name, const std::string& text) {
  const auto fields = parsed({"^%{" + name + ":x}", {}, {}, {}}, text);
  const auto x = fields.find("x");
  return x == fields.end() ? "nothing" : x->second.substr(1, x->second.size() - 2);
}
bool is_whole(const std::string& name, const std::string& text) {
  return !parsed({"^%{" + name + ":x}$", {}, {}, {}}, text).contains("fault");
}

TEST(Grok, MakesFieldsOfReferences) {
  EXPECT_THAT(parsed({"%{IP:client} %{WORD:method} %{URIPATHPARAM:request} %{NUMBER:bytes:int} "
                      "%{NUMBER:duration:float}",
                      {},
                      {},
                      {}},
                     "55.3.244.1 GET /index.html?a=b 15824 0.043"),
              UnorderedElementsAre(Pair("client", "\"55.3.244.1\""), Pair("method", "\"GET\""),
                                   Pair("request", "\"/index.html?a=b\""), Pair("bytes", "15824"),
                                   Pair("duration", "#0.043")));
  EXPECT_THAT(
      parsed({"%{WORD:ok:bool} %{TIMESTAMP_ISO8601:at:timestamp} %{WORD:s:string}", {}, {}, {}},
             "true 2026-01-02T03:04:05Z x"),
      UnorderedElementsAre(Pair("ok", "true"), Pair("at", "2026-01-02T03:04:05Z"), Pair("s", "\"x\"")));
  EXPECT_THAT(parsed({"%{WORD:n:int}", {}, {}, {}}, "x"), ElementsAre(Pair("fault", "not_a_number")));
  EXPECT_THAT(parsed({"^%{INT:n}$", {}, {}, {}}, "x"), ElementsAre(Pair("fault", "syntax")));
}

TEST(Grok, NamesOfFieldsNeedNotBeThoseOfGroups) {
  EXPECT_THAT(
      parsed({"%{WORD:[http][request][method]} %{WORD:@version} %{WORD:a.b-c} (?<[x][y]>\\d+) (?<z>.)",
              {},
              {},
              {}},
             "GET one two 17 !"),
      UnorderedElementsAre(Pair("http.request.method", "\"GET\""), Pair("@version", "\"one\""),
                           Pair("a.b-c", "\"two\""), Pair("x.y", "\"17\""), Pair("z", "\"!\"")));
  const std::string longer(60, 'n');
  EXPECT_THAT(parsed({"%{WORD:" + longer + "}", {}, {}, {}}, "x"), ElementsAre(Pair(longer, "\"x\"")));
}

TEST(Grok, OfAFieldThatStandsTwiceTheOneThatMatchedCounts) {
  const GrokParserConfig config{"^(?:%{INT:v:int}|%{WORD:v}) %{WORD:w}(?: %{WORD:w})?$", {}, {}, {}};
  EXPECT_THAT(parsed(config, "17 a"), UnorderedElementsAre(Pair("v", "17"), Pair("w", "\"a\"")));
  EXPECT_THAT(parsed(config, "x a b"), UnorderedElementsAre(Pair("v", "\"x\""), Pair("w", "\"b\"")));
}

TEST(Grok, GroupsWithoutANameCaptureNothing) {
  EXPECT_THAT(parsed({R"((a|b)(?<x>c)\k<x>)", {}, {}, {}}, "acc"), ElementsAre(Pair("x", "\"c\"")));
}

TEST(Grok, OnlyReferencesAreReplaced) {
  EXPECT_THAT(parsed({R"(^\%{a} [%(?<]+ (?<!x)(?<=\s)%{INT:n}%$)", {{"a", "x"}}, {}, {}}, "%{a} %(?< 5%"),
              ElementsAre(Pair("n", "\"5\"")));
  EXPECT_THAT(parsed({R"(^[](?<a>]+[^](?<b>]%{INT:n}[[:alpha:](?<c>]$)", {}, {}, {}}, "](?<ax5c"),
              ElementsAre(Pair("n", "\"5\"")));
}

TEST(Grok, TakesOwnPatterns) {
  EXPECT_THAT(
      parsed({"%{ORDER:order} by %{BUYER}",
              {{"ORDER", "o-%{POSINT}"}, {"BUYER", "%{USER:name}#%{INT:[buyer][id]:int}"}},
              {},
              {}},
             "paid o-17 by ann#5"),
      UnorderedElementsAre(Pair("order", "\"o-17\""), Pair("name", "\"ann\""), Pair("buyer.id", "5")));
  // One of a known name takes its place, also within others.
  EXPECT_THAT(parsed({"%{NUMBER:n}", {{"BASE10NUM", "[0-9,]+"}}, {}, {}}, "1,000"),
              ElementsAre(Pair("n", "\"1,000\"")));
}

TEST(Grok, TakesTypesByField) {
  EXPECT_THAT(parsed({"%{INT:a} %{INT:[b][c]} %{INT:d:float}",
                      {},
                      {{"a", FieldType::kInt}, {"b.c", FieldType::kInt}, {"d", FieldType::kString}},
                      {}},
                     "1 2 3"),
              UnorderedElementsAre(Pair("a", "1"), Pair("b.c", "2"), Pair("d", "#3")));
  EXPECT_THAT(make_grok_parser({"%{INT:count}", {}, {{"cuont", FieldType::kInt}}, {}}).error().message,
              HasSubstr("no field \"cuont\": did you mean count?"));
}

TEST(Grok, MaterialisesWhatIsWanted) {
  EXPECT_THAT(parsed({"%{INT:a:int} %{WORD:[b][c]} %{WORD:d}", {}, {}, {false, {"b.c"}}}, "1 x y"),
              ElementsAre(Pair("b.c", "\"x\"")));
}

TEST(Grok, SaysWhatIsWrong) {
  EXPECT_THAT(message("%{IPORHOTS:x}"), HasSubstr("no pattern \"IPORHOTS\": did you mean IPORHOST?"));
  EXPECT_THAT(message("%{OWM:x}", {{"OWN", "x"}}), HasSubstr("did you mean OWN?"));
  EXPECT_THAT(message("%{XYZZYPLUGH:x}"), HasSubstr("no pattern \"XYZZYPLUGH\""));
  EXPECT_THAT(message("%{A:x}", {{"A", "a%{B}"}, {"B", "%{C}|b"}, {"C", "%{B}"}}),
              HasSubstr("refer to each other: B -> C -> B"));
  EXPECT_THAT(message("%{A:x}", {{"A", "%{A}"}}), HasSubstr("A -> A"));
  EXPECT_THAT(message("%{INT:x:itn}"), HasSubstr("\"itn\" is no type of x: did you mean int?"));
  EXPECT_THAT(message("%{INT}"), HasSubstr("no field: %{NAME:field}"));
  EXPECT_THAT(message("%{INT:x"), HasSubstr("no } behind"));
  EXPECT_THAT(message("%{IN T:x}"), HasSubstr("\"IN T\" is no name of a pattern"));
  EXPECT_THAT(message("%{INT:a b}"), HasSubstr("\"a b\" is no name of a field"));
  EXPECT_THAT(message("%{INT:[a]b}"), HasSubstr("no name of a field"));
  EXPECT_THAT(message("%{INT:}"), HasSubstr("no name of a field"));
  EXPECT_THAT(message("(?<a b>x)"), HasSubstr("begins no group that has a name"));
  EXPECT_THAT(message("x", {{"a b", "x"}}), HasSubstr("\"a b\" is no name of a pattern"));
}

TEST(Grok, SaysWhereAnExpressionIsWrong) {
  EXPECT_THAT(message("%{INT:x} (%{INT:y}"), HasSubstr("missing closing parenthesis at character 19"));
  EXPECT_THAT(message("%{OWN:x}", {{"OWN", "%{INT}[a-"}}),
              AllOf(HasSubstr("OWN: missing terminating ]"), HasSubstr("at character 10")));
  EXPECT_THAT(message("(?<=%{DATA})%{INT:x}"), HasSubstr("what it stands for is wrong: lookbehind"));
}

TEST(Grok, GrowsToItsLimits) {
  GrokPatterns own = {{"P0", "abcdefgh"}};
  for (int i = 1; i < 20; ++i) {
    const std::string one = fmt::format("%{{P{}}}", i - 1);
    own[fmt::format("P{}", i)] = one + one;
  }
  EXPECT_THAT(message("%{P19:x}", own), HasSubstr("stands for more than 64 KiB"));
  own = {{"P0", "x"}};
  for (int i = 1; i < 50; ++i) own[fmt::format("P{}", i)] = fmt::format("%{{P{}}}", i - 1);
  EXPECT_THAT(message("%{P49:x}", own), HasSubstr("more than 32 deep"));
  std::string many;
  for (int i = 0; i < 300; ++i) many += fmt::format("%{{INT:f{}}}", i);
  EXPECT_THAT(message(many), HasSubstr("more than 256 fields"));
}

TEST(GrokPatternSet, AllCompile) {
  for (const GrokDefinition& definition : grok_definitions())
    EXPECT_EQ(message("^%{" + std::string(definition.name) + ":x}$"), "compiled") << definition.name;
}

TEST(GrokPatternSet, NamesComeOnce) {
  std::set<std::string_view> names;
  for (const GrokDefinition& definition : grok_definitions())
    EXPECT_TRUE(names.insert(definition.name).second) << definition.name;
}

struct Sample {
  std::string name;
  std::vector<std::string> whole;
  std::vector<std::string> none;
};

TEST(GrokPatternSet, TakesWhatItsNamesSay) {
  const std::vector<Sample> samples = {
      {"USERNAME", {"ann", "a.b-c_9"}, {"", "a b", "a@b"}},
      {"USER", {"root"}, {"a/b"}},
      {"EMAILADDRESS", {"ann@example.com", "a.b+c@mail.example.org"}, {"ann", "@x", "a..b@c"}},
      {"INT", {"5", "-17", "+0"}, {"1.5", "x", "--1"}},
      {"NUMBER", {"5", "-1.5", ".5", "+3"}, {"1.", "1e5", "x"}},
      {"BASE16NUM", {"ff", "0xFF", "-0x1"}, {"xyz", "0x"}},
      {"BASE16FLOAT", {"0x1.8", "ff.a"}, {"g"}},
      {"POSINT", {"1", "100"}, {"0", "-1", "007"}},
      {"NONNEGINT", {"0", "007"}, {"-1", "1.0"}},
      {"WORD", {"word", "w_1"}, {"two words", "a-b"}},
      {"NOTSPACE", {"a-b/c:d"}, {"a b", ""}},
      {"SPACE", {"", " \t"}, {"x"}},
      {"DATA", {"", "any thing"}, {}},
      {"GREEDYDATA", {"", "any thing"}, {}},
      {"QUOTEDSTRING", {"\"a b\"", "\"a \\\" b\"", "'x'", "`y`", "\"\""}, {"\"a", "a\"", "\"a\"b\""}},
      {"UUID", {"550e8400-e29b-41d4-a716-446655440000"}, {"550e8400-e29b-41d4-a716", "x"}},
      {"URN", {"urn:isbn:0451450523", "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66"}, {"urn:", "isbn:1"}},
      {"MAC", {"00:1b:44:11:3a:b7", "00-1B-44-11-3A-B7", "001b.4411.3ab7"}, {"00:1b:44:11:3a", "x"}},
      {"IPV4", {"0.0.0.0", "192.168.1.100", "255.255.255.255"}, {"256.1.1.1", "1.2.3", "1.2.3.4.5"}},
      {"IPV6",
       {"::", "::1", "1::", "2001:db8::1", "1:2:3:4:5:6:7:8", "fe80::1%eth0", "::ffff:192.0.2.1",
        "1:2:3:4:5:6:192.0.2.1", "1:2:3:4:5:6:7::", "1::8", "64:ff9b::192.0.2.33", "1:2:3:4:5::7:8"},
       {"1:2:3", "1::2::3", "12345::", "g::", "1:2:3:4:5:6:7:8:9", "192.0.2.1"}},
      {"IP", {"10.0.0.1", "::1"}, {"x"}},
      {"HOSTNAME", {"host", "db-1.example.com", "a.b."}, {"-x", "a..b", "a b"}},
      {"IPORHOST", {"10.0.0.1", "fe80::1", "web.example.com"}, {"a b"}},
      {"HOSTPORT", {"web:8080", "10.0.0.1:1"}, {"web", "web:0"}},
      {"UNIXPATH", {"/var/log/a-b.log", "/", "/a/%20b"}, {"a/b", "/a b"}},
      {"WINPATH", {R"(C:\Windows\x.log)", R"(\\host\share)"}, {"/a", "C:"}},
      {"TTY", {"/dev/pts/0", "/dev/tty1"}, {"/dev/null"}},
      {"URI",
       {"http://example.com/a?b=c#d", "https://u:p@host:8443/", "ftp://10.0.0.1"},
       {"example.com", "http:/x"}},
      {"URIPATHPARAM", {"/a/b?c=d&e", "/"}, {"a", "/a b"}},
      {"MONTH", {"Jan", "January", "may", "Dec", "Sep", "September", "Okt", "März"}, {"Janu", "13", "Foo"}},
      {"MONTHNUM", {"1", "01", "12"}, {"0", "13"}},
      {"MONTHNUM2", {"01", "12"}, {"1"}},
      {"MONTHDAY", {"1", "01", "31"}, {"0", "32"}},
      {"DAY", {"Mon", "Tuesday"}, {"mon", "Montag"}},
      {"YEAR", {"2026", "26"}, {"202", "x"}},
      {"HOUR", {"0", "09", "23"}, {"24"}},
      {"MINUTE", {"00", "59"}, {"60", "5"}},
      {"SECOND", {"0", "59", "60", "07.123", "07,123"}, {"61"}},
      {"TIME", {"07:36:54", "7:36:54.123"}, {"07:36", "25:00:00"}},
      {"DATE_US", {"11/23/2026", "1-2-26"}, {"23/11/2026"}},
      {"DATE_EU", {"23.11.2026", "23/11/26"}, {"11/23/2026"}},
      {"ISO8601_TIMEZONE", {"Z", "+01:00", "-0530"}, {"+1", "UTC"}},
      {"TIMESTAMP_ISO8601",
       {"2026-11-23T07:36:54.123Z", "2026-11-23 07:36:54,123", "2026-11-23T07:36+01:00",
        "2026-11-23 07:36:54"},
       {"2026-11-23", "23/11/2026 07:36"}},
      {"DATE", {"11/23/2026", "23.11.2026"}, {"2026"}},
      {"DATESTAMP", {"23.11.2026 07:36:54", "11/23/26-07:36:54"}, {"23.11.2026"}},
      {"TZ", {"UTC", "PST", "EDT"}, {"CEST"}},
      {"DATESTAMP_RFC822", {"Mon Nov 23 2026 07:36:54 UTC"}, {"Mon Nov 23"}},
      {"DATESTAMP_RFC2822", {"Mon, 23 Nov 2026 07:36:54 +0000"}, {"Mon 23 Nov"}},
      {"DATESTAMP_OTHER", {"Mon Nov 23 07:36:54 UTC 2026"}, {"Nov 23"}},
      {"DATESTAMP_EVENTLOG", {"20261123073654"}, {"2026"}},
      {"HTTPDATE", {"23/Nov/2026:07:36:54 +0000"}, {"23/11/2026:07:36:54 +0000"}},
      {"SYSLOGTIMESTAMP", {"Nov 23 07:36:54", "Nov  3 07:36:54"}, {"Nov 23"}},
      {"PROG", {"sshd", "postfix/smtpd", "a(b)"}, {"a[b", "a b"}},
      {"SYSLOGPROG", {"sshd[123]", "kernel"}, {"sshd[x]"}},
      {"SYSLOGHOST", {"web-1", "10.0.0.1"}, {"a b"}},
      {"SYSLOGFACILITY", {"<3.6>"}, {"<3>"}},
      {"LOGLEVEL", {"INFO", "info", "Warning", "WARN", "error", "ERR", "FATAL", "emergency"}, {"none", "x"}},
      {"JAVACLASS", {"com.example.Foo", "Foo$Bar"}, {"1a", "a-b"}},
      {"JAVASTACKTRACEPART", {"\tat com.example.Foo.bar(Foo.java:17)", "at a.B.<init>(B.java)"}, {"at x"}},
  };
  for (const Sample& sample : samples) {
    for (const std::string& text : sample.whole)
      EXPECT_TRUE(is_whole(sample.name, text)) << sample.name << " " << text;
    for (const std::string& text : sample.none)
      EXPECT_FALSE(is_whole(sample.name, text)) << sample.name << " " << text;
  }
}

TEST(GrokPatternSet, TakesAsMuchAsThereIs) {
  EXPECT_EQ(taken("NUMBER", "1.5x"), "1.5");
  EXPECT_EQ(taken("IPV6", "::ffff:192.0.2.1 x"), "::ffff:192.0.2.1");
  EXPECT_EQ(taken("IPV6", "2001:db8::8a2e:370:7334]"), "2001:db8::8a2e:370:7334");
  EXPECT_EQ(taken("HOSTNAME", "db-1.example.com:80"), "db-1.example.com");
  EXPECT_EQ(taken("URI", "https://a.example/b?c=d e"), "https://a.example/b?c=d");
  EXPECT_EQ(taken("PATH", "/var/log/x.log: y"), "/var/log/x.log:");
  EXPECT_EQ(taken("QS", "\"a\" \"b\""), "\"a\"");
  EXPECT_EQ(taken("TIMESTAMP_ISO8601", "2026-11-23T07:36:54.123+01:00 INFO"),
            "2026-11-23T07:36:54.123+01:00");
}

TEST(GrokPatternSet, ReadsAccessLogs) {
  const std::string common =
      R"(203.0.113.7 - frank [10/Oct/2000:13:55:36 -0700] "GET /a.gif HTTP/1.0" 200 2326)";
  EXPECT_THAT(parsed({"%{COMMONAPACHELOG}", {}, {}, {}}, common),
              UnorderedElementsAre(
                  Pair("clientip", "\"203.0.113.7\""), Pair("ident", "\"-\""), Pair("auth", "\"frank\""),
                  Pair("timestamp", "\"10/Oct/2000:13:55:36 -0700\""), Pair("verb", "\"GET\""),
                  Pair("request", "\"/a.gif\""), Pair("httpversion", "\"1.0\""), Pair("response", "\"200\""),
                  Pair("bytes", "\"2326\"")));
  const auto combined = parsed({"^%{COMBINEDAPACHELOG}$", {}, {{"response", FieldType::kInt}}, {}},
                               common + R"re( "https://a.example/?q=\"x\"" "Mozilla/5.0 (X11; Linux)")re");
  EXPECT_EQ(combined.at("response"), "200");
  EXPECT_EQ(combined.at("referrer"), R"("https://a.example/?q=\"x\"")");
  EXPECT_EQ(combined.at("agent"), "\"Mozilla/5.0 (X11; Linux)\"");
  const auto scan = parsed({"%{COMMONAPACHELOG}", {}, {}, {}},
                           R"(::1 - - [10/Oct/2000:13:55:36 -0700] "\x16\x03 \x01" 400 -)");
  EXPECT_EQ(scan.at("rawrequest"), R"("\x16\x03 \x01")");
  EXPECT_FALSE(scan.contains("bytes"));
  EXPECT_THAT(
      parsed({"%{HTTPD_ERRORLOG}", {}, {}, {}},
             "[Mon Nov 23 07:36:54.123456 2026] [core:error] [pid 17:tid 139] [client 10.0.0.1:443] "
             "AH00037: Symbolic link not allowed"),
      AllOf(testing::Contains(Pair("module", "\"core\"")), testing::Contains(Pair("loglevel", "\"error\"")),
            testing::Contains(Pair("pid", "\"17\"")), testing::Contains(Pair("clientip", "\"10.0.0.1\"")),
            testing::Contains(Pair("errorcode", "\"AH00037\"")),
            testing::Contains(Pair("message", "\"Symbolic link not allowed\""))));
}

TEST(GrokPatternSet, ReadsSyslogAndJava) {
  EXPECT_THAT(parsed({"^%{SYSLOGBASE} %{GREEDYDATA:text}", {}, {{"pid", FieldType::kInt}}, {}},
                     "Nov  3 07:36:54 web-1 sshd[123]: Accepted publickey for ann"),
              UnorderedElementsAre(Pair("timestamp", "\"Nov  3 07:36:54\""), Pair("logsource", "\"web-1\""),
                                   Pair("program", "\"sshd\""), Pair("pid", "123"),
                                   Pair("text", "\"Accepted publickey for ann\"")));
  const auto line =
      parsed({"^%{SYSLOGLINE}", {}, {}, {}}, "2026-11-23T07:36:54+00:00 web-1 kernel: it is up");
  EXPECT_EQ(line.at("timestamp8601"), "\"2026-11-23T07:36:54+00:00\"");
  EXPECT_EQ(line.at("message"), "\"it is up\"");
  EXPECT_THAT(
      parsed({"^%{TIMESTAMP_ISO8601:time} %{LOGLEVEL:level} +\\[%{DATA:thread}\\] %{JAVACLASS:class} - "
              "%{GREEDYDATA:text}",
              {},
              {},
              {}},
             "2026-11-23 07:36:54,123 WARN  [worker-1] com.example.Foo$Bar - slow"),
      UnorderedElementsAre(Pair("time", "\"2026-11-23 07:36:54,123\""), Pair("level", "\"WARN\""),
                           Pair("thread", "\"worker-1\""), Pair("class", "\"com.example.Foo$Bar\""),
                           Pair("text", "\"slow\"")));
}

TEST(GrokPatternSet, GivesUpOnHostileLines) {
  const auto made = make_grok_parser({"^(?:%{NOTSPACE:a}%{DATA:b})+ %{COMBINEDAPACHELOG}$", {}, {}, {}});
  ASSERT_TRUE(made);
  const auto fields = parse_line(**made, std::string(5000, 'a').append(" x"));
  EXPECT_TRUE(fields.contains("fault"));
}

}  // namespace
}  // namespace logflume
