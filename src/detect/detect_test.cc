#include "detect/detect.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "base/civil_time.h"
#include "config/load.h"
#include "detect/sample.h"
#include "parse/time_format.h"
#include "transform/registry.h"

namespace logflume {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr std::int64_t kNowNs = 1767323045678000000;  // 2026-01-02T03:04:05.678Z

std::string lines(const std::vector<std::string>& all) {
  std::string text;
  for (const std::string& line : all) text.append(line).push_back('\n');
  return text;
}

// A transform that this build does not have yet cannot be in a configuration that loads.
bool are_known(const std::vector<DetectedTransform>& transforms) {
  return std::ranges::all_of(transforms, [](const DetectedTransform& one) {
    return std::ranges::find(transform_types(), one.type, &TransformType::name) != transform_types().end();
  });
}

DetectedFormat detect(const std::string& text, const std::string& path = "/var/log/app.log") {
  DetectedFormat found = detect_format(text, {path, kNowNs});
  if (are_known(found.transforms)) {
    const LoadedConfig loaded = load_config_texts({{"(detect)", found.config}}, Environment());
    EXPECT_TRUE(loaded.config) << found.config << render(loaded.diagnostics);
  }
  return found;
}

std::vector<std::string> transforms(const DetectedFormat& found) {
  std::vector<std::string> types;
  for (const DetectedTransform& one : found.transforms) types.push_back(one.type);
  return types;
}

std::string option(const DetectedFormat& found, const std::string& key, std::size_t transform = 0) {
  if (transform >= found.transforms.size()) return "no transform";
  for (const auto& [name, value] : found.transforms[transform].options) {
    if (name == key) return value;
  }
  return "";
}

std::string type(const DetectedFormat& found, const std::string& name) {
  const auto field = std::ranges::find(found.fields, name, &DetectedField::name);
  return field == found.fields.end() ? "none" : field->type;
}

TEST(Detect, Json) {
  const auto found =
      detect(lines({R"({"ts":"2026-01-02T03:04:05Z","level":"info","took":1.5,"n":1,"a":{"b":1}})",
                    R"({"ts":"2026-01-02T03:04:06Z","level":"warn","took":2,"n":2,"ok":true})"}));
  EXPECT_EQ(found.name, "JSON");
  EXPECT_EQ(found.share, 1.0);
  EXPECT_EQ(found.lines, 2u);
  EXPECT_THAT(transforms(found), ElementsAre("parse_json"));
  EXPECT_EQ(option(found, "timestamp_field"), "ts");
  EXPECT_EQ(option(found, "timestamp_format"), "");
  EXPECT_EQ(type(found, "ts"), "timestamp");
  EXPECT_EQ(type(found, "took"), "double");
  EXPECT_EQ(type(found, "n"), "int");
  EXPECT_EQ(type(found, "ok"), "bool");
  EXPECT_EQ(type(found, "a"), "object");
  EXPECT_EQ(option(found, "types"), "") << "JSON has its own";
  const auto field = std::ranges::find(found.fields, "ok", &DetectedField::name);
  EXPECT_EQ(field->events, 1u);
  EXPECT_EQ(field->sample, "true");
}

TEST(Detect, JsonWithEpoch) {
  const auto found =
      detect(lines({R"({"time":1767323045678,"msg":"a"})", R"({"time":1767323045679,"msg":"b"})"}));
  EXPECT_EQ(option(found, "timestamp_field"), "time");
  EXPECT_EQ(option(found, "timestamp_format"), "'epoch'");
}

const char* const kCombined =
    R"(203.0.113.7 - - [10/Oct/2025:13:55:36 +0000] "GET /a?b=1 HTTP/1.1" 200 2326 "-" "Mozilla/5.0 X11")";

TEST(Detect, AccessLogs) {
  auto found = detect(lines({kCombined, kCombined}));
  EXPECT_EQ(found.name, "nginx combined");
  EXPECT_THAT(transforms(found), ElementsAre("parse_nginx"));
  EXPECT_THAT(found.transforms[0].options, IsEmpty());
  EXPECT_EQ(type(found, "status"), "int");
  EXPECT_EQ(type(found, "timestamp"), "timestamp");
  EXPECT_EQ(found.others.front().first, "Apache combined");
  EXPECT_EQ(detect(lines({kCombined}), "/var/log/apache2/access.log").name, "Apache combined");
  const std::string common = std::string(kCombined).substr(0, std::string(kCombined).find(" \"-\""));
  found = detect(lines({common}), "/var/log/nginx/access.log");
  EXPECT_EQ(found.name, "nginx common");
  EXPECT_EQ(option(found, "format"), "common");
  EXPECT_EQ(detect(lines({std::string(kCombined) + " \"10.0.0.1\""})).name, "nginx main");
  found = detect(lines({std::string("www.example.com:443 ") + kCombined}));
  EXPECT_EQ(found.name, "Apache vhost_combined");
  EXPECT_THAT(found.config,
              HasSubstr(R"(format: '%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"')"));
  found = detect(
      lines({R"(10.0.0.1 - - [10/Oct/2025:13:55:36 +0000] "GET /healthz HTTP/1.1" 200 2 "-" "kube" 90 0.001 )"
             R"([shop-web-80] [] 10.1.0.7:80 2 0.001 200 4bf92f3577b34da6)"}));
  EXPECT_EQ(found.name, "ingress-nginx");
  EXPECT_THAT(found.config, HasSubstr("$$remote_addr")) << "nothing expands";
}

TEST(Detect, Pairs) {
  auto found =
      detect(lines({R"(ts=2026-01-02T03:04:05Z level=info msg="it runs" status=200 took=1.5 ok=true)",
                    R"(ts=2026-01-02T03:04:06Z level=warn msg="slow" status=404 took=2.5 ok=false)"}));
  EXPECT_EQ(found.name, "key=value");
  EXPECT_THAT(transforms(found), ElementsAre("parse_key_value"));
  EXPECT_EQ(option(found, "types"), "{status: int, took: double, ok: bool}");
  EXPECT_EQ(option(found, "timestamp_field"), "ts");
  found = detect(lines(
      {R"(level=info msg="it runs" status=200 path=/a ready)", R"(level=info msg="x" status=1 path=/b)"}));
  EXPECT_EQ(found.name, "logfmt");
  EXPECT_THAT(transforms(found), ElementsAre("parse_logfmt"));
  found = detect(lines({"user:ann;action:login;result:ok", "user:bob;action:logout;result:ok"}));
  EXPECT_THAT(transforms(found), ElementsAre("parse_key_value"));
  EXPECT_EQ(option(found, "pair_separator"), "\";\"");
  EXPECT_EQ(option(found, "key_separator"), "\":\"");
}

TEST(Detect, Csv) {
  auto found = detect(lines({"time,user name,count,ratio", "2026-01-02 03:04:05,ann,17,0.5",
                             "2026-01-02 03:04:06,\"b, c\",18,1.5"}));
  EXPECT_EQ(found.name, "CSV with a header");
  EXPECT_EQ(found.share, 1.0) << "the header is no event";
  EXPECT_EQ(option(found, "columns"), "[time, \"user name\", count, ratio]");
  EXPECT_EQ(option(found, "types"), "{count: int, ratio: double}");
  EXPECT_EQ(option(found, "timestamp_field"), "time");
  EXPECT_EQ(option(found, "timestamp_format"), "'%Y-%m-%d %H:%M:%S'");
  found = detect(lines({"1|x y|2.5", "2|z|3.5"}));
  EXPECT_EQ(found.name, "CSV");
  EXPECT_EQ(option(found, "columns"), "[column_1, column_2, column_3]");
  EXPECT_EQ(option(found, "delimiter"), "\"|\"");
}

TEST(Detect, Syslog) {
  auto found =
      detect(lines({"Nov  3 07:36:54 web-1 sshd[123]: Accepted publickey for ann from 10.0.0.1 port 22",
                    "Nov  3 07:36:55 web-1 CRON[124]: (root) CMD (run-parts)"}),
             "/var/log/syslog");
  EXPECT_EQ(found.name, "syslog");
  EXPECT_THAT(transforms(found), ElementsAre("parse_syslog"));
  EXPECT_EQ(type(found, "appname"), "string");
  EXPECT_EQ(type(found, "timestamp"), "timestamp");
  found =
      detect(lines({R"(<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - 'su root' failed)"}));
  EXPECT_EQ(found.name, "syslog");
  found = detect(lines({"2026-11-29T13:10:23.668000+00:00 web-1 kernel: it is up",
                        "2026-11-29T13:10:24.668000+00:00 web-1 systemd[1]: Started x.service"}));
  EXPECT_EQ(found.name, "syslog");
}

TEST(Detect, Containers) {
  auto found = detect(lines(
      {"2026-01-02T03:04:05.678901234Z stdout F server is up", "2026-01-02T03:04:06Z stderr P part of"}));
  EXPECT_EQ(found.name, "CRI");
  EXPECT_THAT(transforms(found), ElementsAre("parse_cri"));
  EXPECT_EQ(type(found, "partial"), "bool");
  found = detect(
      lines({R"({"log":"server is up\n","stream":"stdout","time":"2026-01-02T03:04:05.678901234Z"})"}));
  EXPECT_EQ(found.name, "Docker json-file");
  EXPECT_THAT(transforms(found), ElementsAre("parse_docker_json"));
  found = detect(lines(
      {"I0102 03:04:05.678901   17 server.go:42] text", "E0102 03:04:06.678901   17 server.go:43] more"}));
  EXPECT_EQ(found.name, "klog");
}

TEST(Detect, WhatContainersSay) {
  auto found = detect(lines({R"(2026-01-02T03:04:05Z stdout F {"level":"info","n":1})",
                             R"(2026-01-02T03:04:06Z stdout F {"level":"warn","n":2})"}));
  EXPECT_EQ(found.name, "CRI, with JSON");
  EXPECT_THAT(transforms(found), ElementsAre("parse_cri", "parse_json"));
  EXPECT_THAT(found.config,
              AllOf(HasSubstr("type: parse_cri\n    inputs: [logs]"),
                    HasSubstr("type: parse_json\n    inputs: [unwrapped]"), HasSubstr("inputs: [parsed]")));
  EXPECT_EQ(type(found, "n"), "int");
  EXPECT_EQ(type(found, "stream"), "string");
  EXPECT_EQ(type(found, "message"), "none");
  found = detect(lines(
      {R"({"log":"2026-01-02 03:04:05,678 INFO  [main] com.example.A - up\n","stream":"stdout","time":"2026-01-02T03:04:05Z"})"}));
  EXPECT_EQ(found.name, "Docker json-file, with log4j, logback");
  EXPECT_EQ(option(found, "timestamp_format", 1), "'%Y-%m-%d %H:%M:%S,%f'");
}

std::string docker_lines(std::string_view text) {
  std::string lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    std::string log(text.substr(begin, end - begin));
    for (std::size_t tab = log.find('\t'); tab != log.npos; tab = log.find('\t')) log.replace(tab, 1, "\\t");
    lines += R"({"log":")" + log + R"(\n","stream":"stdout","time":"2026-01-02T03:04:05Z"})" + "\n";
    begin = end + 1;
  }
  return lines;
}

TEST(Detect, LinesThatContainersWroteAreJoined) {
  auto found = detect(docker_lines("2026-01-02 03:04:05,678 INFO  [main] com.example.A - up\n"));
  EXPECT_THAT(found.config, HasSubstr("multiline:\n      preset: docker\n"));
  found = detect(R"({"log":"{\"level\":\"info\",","stream":"stdout","time":"2026-01-02T03:04:05Z"})"
                 "\n"
                 R"({"log":"\"n\":1}\n","stream":"stdout","time":"2026-01-02T03:04:05Z"})"
                 "\n");
  EXPECT_EQ(found.name, "Docker json-file, with JSON");
  EXPECT_EQ(found.lines, 2u);
  EXPECT_EQ(found.events, 1u);
  EXPECT_EQ(type(found, "n"), "int");
  found = detect(lines({"2026-01-02T03:04:05Z stdout P part ", "2026-01-02T03:04:05Z stdout F of it"}));
  EXPECT_THAT(found.config, HasSubstr("multiline:\n      preset: cri\n"));
  EXPECT_EQ(found.events, 1u);
}

TEST(Detect, TracesInLinesOfContainers) {
  const std::string record = "2026-01-02 03:04:05,678 ERROR [main] com.example.A - it failed\n";
  const std::string text = record + "java.lang.Error: x\n\tat a.b(C.java:1)\n\t... 12 more\n" + record;
  const auto found = detect(docker_lines(text));
  EXPECT_EQ(found.name, "Docker json-file, with log4j, logback");
  EXPECT_THAT(found.config, HasSubstr("multiline:\n      preset: java\n      inside: docker\n"));
  EXPECT_EQ(found.events, 2u);
  EXPECT_EQ(found.share, 1.0);
  EXPECT_EQ(detect(docker_lines("up\nnext\n")).preset, "docker");
}

struct Sample {
  std::string name;
  std::vector<std::string> lines;
  std::string time_format;
};

TEST(Detect, WhatProgramsWrite) {
  const std::vector<Sample> samples = {
      {"log4j, logback",
       {"2026-11-29 13:10:23,562 INFO  [worker-63] com.example.catalog.SearchIndex - flushed 21801 token",
        "2026-11-29 13:10:23,563 ERROR [worker-33] com.example.shop.OrderService - failed"},
       "%Y-%m-%d %H:%M:%S,%f"},
      {"Spring Boot",
       {"2026-11-29T13:10:23.562+01:00  INFO 12345 --- [           main] c.e.shop.Application   : Started in "
        "2.5 s",
        "2026-11-29T13:10:23.563+01:00  WARN 12345 --- [nio-8080-exec-1] o.s.web.servlet : x"},
       "rfc3339"},
      {"logback",
       {"13:10:23.562 [main] INFO  com.example.Foo - up", "13:10:23.563 [main] WARN  com.example.Foo - x"},
       ""},
      {"Python logging",
       {"2026-11-29 13:10:23,562 - shop.orders - ERROR - cannot place order"},
       "%Y-%m-%d %H:%M:%S,%f"},
      {"Python logging, basic", {"INFO:root:started", "WARNING:shop.orders:slow"}, ""},
      {"PostgreSQL",
       {"2026-11-29 13:10:23.562 UTC [1234] LOG:  database system is ready to accept connections",
        "2026-11-29 13:10:24.562 UTC [1240] ann@shop ERROR:  relation \"x\" does not exist at character 15"},
       "%Y-%m-%d %H:%M:%S.%f"},
      {"MySQL",
       {"2026-11-29T13:10:23.562123Z 0 [System] [MY-010931] [Server] ready for connections"},
       "rfc3339"},
      {"nginx error log",
       {"2026/11/29 13:10:23 [error] 17#17: *5 open() \"/x\" failed (2: No such file), client: 10.0.0.1",
        "2026/11/29 13:10:23 [notice] 1#1: signal process started"},
       "%Y/%m/%d %H:%M:%S"},
      {"Apache error log",
       {"[Sun Nov 29 13:10:23.562123 2026] [core:error] [pid 17:tid 139] [client 10.0.0.1:443] AH00037: x",
        "[Sun Nov 29 13:10:23.562123 2026] [mpm_event:notice] [pid 17] AH00489: configured"},
       "%a %b %d %H:%M:%S.%f %Y"},
      {"Redis", {"1234:M 29 Nov 2026 13:10:23.562 * Ready to accept connections"}, "%d %b %Y %H:%M:%S.%f"},
      {"Elasticsearch",
       {"[2026-11-29T13:10:23,562][INFO ][o.e.n.Node               ] [node-1] started"},
       "%Y-%m-%dT%H:%M:%S,%f"},
      {"time and level",
       {"[2026-11-29 13:10:23,562] INFO [Kafka Server 1], started", "2026-11-29T13:10:23Z WARN slow"},
       ""},
      {"time, level and logger",
       {"2026-11-29 13:10:23.562 INFO app.server: listening"},
       "%Y-%m-%d %H:%M:%S.%f"},
      {"level and time",
       {"[INFO] 2026-11-29 13:10:23 started", "[WARN] 2026-11-29 13:10:24 slow"},
       "%Y-%m-%d %H:%M:%S"},
      {"Go log",
       {"2026/11/29 13:10:23 listening on :8080", "2026/11/29 13:10:23 main.go:17: done"},
       "%Y/%m/%d %H:%M:%S"},
      {"time and text",
       {"2026-11-29 13:10:23 something happened", "2026-11-29 13:10:24 and else"},
       "%Y-%m-%d %H:%M:%S"},
  };
  for (const Sample& sample : samples) {
    const auto found = detect(lines(sample.lines));
    EXPECT_EQ(found.name, sample.name);
    EXPECT_EQ(found.share, 1.0) << sample.name;
    EXPECT_THAT(transforms(found), ElementsAre("parse_grok"));
    EXPECT_NE(type(found, "message"), "none") << sample.name;
    const std::string expected =
        sample.time_format.empty() || sample.time_format == "rfc3339" ? "" : "'" + sample.time_format + "'";
    EXPECT_EQ(option(found, "timestamp_format"), expected) << sample.name;
  }
}

// The traces of a file, each behind a record.
std::string with_traces(const std::string& language, const std::string& record) {
  std::ifstream file(std::string(LOGFLUME_SOURCE_DIR "/tests/traces/").append(language).append(".txt"));
  std::string text, line;
  std::vector<std::string> event;
  const auto add = [&] {
    const bool is_trace =
        event.size() > 2 && std::string_view("0123456789[").find(event[0][0]) == std::string::npos;
    if (is_trace)
      text.append(record).append(" it failed\n").append(lines(event)).append(record).append(" next\n");
    event.clear();
  };
  while (std::getline(file, line)) {
    if (line == "===") {
      add();
    } else if (!line.empty() || !event.empty()) {
      event.push_back(line);
    }
  }
  add();
  EXPECT_FALSE(text.empty()) << language;
  return text;
}

TEST(Detect, EventsOfSeveralLines) {
  const std::string record = "2026-11-29 13:10:23,562 ERROR [worker-1] com.example.Orders -";
  const auto found = detect(lines(
      {record + " ordinary", record + " it failed", "com.example.OrderException: refused",
       "\tat com.example.Orders.place(Orders.java:81)",
       "Caused by: java.net.SocketTimeoutException: Read timed out", "\t... 12 more", record + " goes on"}));
  EXPECT_EQ(found.name, "log4j, logback");
  EXPECT_EQ(found.preset, "java");
  EXPECT_EQ(found.lines, 7u);
  EXPECT_EQ(found.events, 3u);
  EXPECT_EQ(found.share, 1.0);
  EXPECT_THAT(found.config, HasSubstr("multiline:\n      preset: java\n"));
}

TEST(Detect, PresetsByTheirTraces) {
  for (const char* language : {"java", "python", "go", "node", "dotnet", "ruby", "php", "rust"}) {
    const auto found = detect(with_traces(language, "2026-11-29 13:10:23,562 ERROR"));
    EXPECT_EQ(found.name, "time and level") << language;
    EXPECT_EQ(found.preset, language);
    EXPECT_LT(found.events, found.lines);
  }
}

TEST(Detect, EventsThatNoPresetKnows) {
  std::vector<std::string> text;
  for (int i = 0; i < 5; ++i) {
    text.push_back("2026-11-29 13:10:23.562 INFO query:");
    text.push_back("select *");
    text.push_back("from orders");
  }
  const auto found = detect(lines(text));
  EXPECT_EQ(found.preset, "");
  EXPECT_THAT(found.start_pattern, StartsWith(R"(^\[?\d{4})"));
  EXPECT_EQ(found.events, 5u);
  EXPECT_EQ(found.share, 1.0);
}

TEST(Detect, PlainText) {
  auto found = detect(lines({"something", "went wrong here = or there", "and nobody, knows, why"}));
  EXPECT_EQ(found.name, "plain text");
  EXPECT_THAT(found.transforms, IsEmpty());
  EXPECT_EQ(found.share, 0);
  EXPECT_THAT(found.config, AllOf(HasSubstr("inputs: [logs]"), Not(HasSubstr("transforms"))));
  EXPECT_EQ(found.preset, "");
  found = detect(lines({"Traceback (most recent call last):", "  File \"a.py\", line 1, in <module>",
                        "    f()", "ValueError: x", "next"}));
  EXPECT_EQ(found.name, "plain text");
  EXPECT_EQ(found.preset, "python");
  EXPECT_EQ(found.events, 2u);
  EXPECT_EQ(detect("").lines, 0u);
  EXPECT_EQ(detect("\n\n").lines, 0u);
  EXPECT_EQ(detect("one line without an end").lines, 1u);
}

TEST(Detect, AFewOtherLinesChangeNothing) {
  std::vector<std::string> text(40, R"({"level":"info"})");
  text[0] = "starting";
  auto found = detect(lines(text));
  EXPECT_EQ(found.name, "JSON");
  EXPECT_EQ(found.share, 39.0 / 40);
  std::fill(text.begin(), text.begin() + 15, "noise");
  found = detect(lines(text));
  EXPECT_EQ(found.name, "JSON");
  std::fill(text.begin(), text.begin() + 25, "noise");
  found = detect(lines(text));
  EXPECT_EQ(found.name, "plain text");
  EXPECT_EQ(found.others.front().first, "JSON");
}

TEST(Detect, LinesWithCarriageReturns) {
  const auto found = detect("level=info status=200 n=x\r\nlevel=info status=200 n=y\r\n");
  EXPECT_TRUE(found.strip_cr);
  EXPECT_THAT(found.config, HasSubstr("strip_cr: true"));
  EXPECT_EQ(type(found, "n"), "string");
}

// Whatever stands in a log: what is printed for it loads.
TEST(Detect, AnyBytesAreALog) {
  static constexpr std::string_view kPieces[] = {"{",
                                                 "}",
                                                 "\"",
                                                 ":",
                                                 "a",
                                                 "key",
                                                 "=",
                                                 " ",
                                                 ",",
                                                 ";",
                                                 "|",
                                                 "\t",
                                                 "\r",
                                                 "\n",
                                                 "\n",
                                                 "\\",
                                                 "'",
                                                 "$",
                                                 "${A}",
                                                 "%",
                                                 "[",
                                                 "]",
                                                 "2026-01-02T03:04:05Z",
                                                 "INFO",
                                                 "- ",
                                                 "127.0.0.1",
                                                 "<34>1 ",
                                                 "\xFF",
                                                 "\xC3\xA4",
                                                 "1",
                                                 "1.5",
                                                 "true",
                                                 "null",
                                                 "\0"};
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string_view> some(2 + random() % 6);
    for (std::string_view& piece : some) piece = kPieces[random() % std::size(kPieces)];
    std::string text;
    for (std::size_t pieces = random() % 200; pieces > 0; --pieces) text += some[random() % some.size()];
    const auto found = detect(text);
    EXPECT_LE(found.events, found.lines);
    EXPECT_LE(found.share, 1.0);
  }
}

TEST(LogSample, TakesTheFirstWholeLines) {
  EXPECT_THAT(LogSample("a\n\nb\nc").lines(), ElementsAre("a", "b"));
  EXPECT_THAT(LogSample("a").lines(), ElementsAre("a"));
  EXPECT_THAT(LogSample("").lines(), IsEmpty());
  std::string many;
  for (int i = 0; i < 3000; ++i) many += "line\n";
  EXPECT_THAT(LogSample(many).lines(), SizeIs(LogSample::kLinesMax));
  EXPECT_EQ(LogSample(many).text().size(), 5 * LogSample::kLinesMax);
  EXPECT_THAT(LogSample(std::string(3'000'000, 'x')).lines(), ElementsAre(SizeIs(LogSample::kBytesMax)));
}

}  // namespace
}  // namespace logflume
