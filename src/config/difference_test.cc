#include "config/difference.h"

#include <gtest/gtest.h>

namespace logflume {
namespace {

FileSourceConfig source(std::string glob) {
  FileSourceConfig config;
  config.include = {std::move(glob)};
  return config;
}

HttpSinkConfig web() {
  HttpSinkConfig config;
  config.inputs = {"app"};
  config.uri = "http://user:hush@host/in?key=hush";
  config.auth_token = "hush";
  config.headers = {{"X-Same", "hush"}, {"X-Gone", "hush"}};
  return config;
}

Config base() {
  Config config;
  config.sources["app"] = source("/a/*.log");
  config.sinks["web"] = web();
  return config;
}

TEST(DifferenceTest, EqualConfigurationsDifferInNothing) {
  EXPECT_TRUE(difference(base(), base()).empty());
  EXPECT_EQ(to_text(difference(base(), base())), "nothing changes\n");
  EXPECT_EQ(to_json(difference(base(), base())), R"({"settings":[],"components":[]})");
}

TEST(DifferenceTest, NamesEachKeyAndWhetherTheComponentRunsOn) {
  Config next = base();
  next.memory_limit = 64ULL << 20;
  next.log_level = LogLevel::kDebug;
  next.sources["more"] = source("/b/*.log");
  auto& sink = std::get<HttpSinkConfig>(next.sinks["web"]);
  sink.inputs = {"app", "more"};
  next.sinks["old"] = BlackholeSinkConfig();
  EXPECT_EQ(to_text(difference(base(), next)),
            "memory_limit: 256MiB -> 64MiB\n"
            "log.level: info -> debug\n"
            "source more: added\n"
            "  type: file\n"
            "sink old: added\n"
            "  type: blackhole\n"
            "sink web: kept\n"
            "  inputs: [app] -> [app, more]\n");
  sink.parallel_requests = 2;
  EXPECT_NE(to_text(difference(base(), next)).find("sink web: replaced\n"), std::string::npos);
  next.sinks["web"] = BlackholeSinkConfig();
  EXPECT_NE(to_text(difference(base(), next)).find("sink web: replaced\n  type: http -> blackhole\n"),
            std::string::npos);
}

TEST(DifferenceTest, ShowsNoSecret) {
  Config next = base();
  auto& sink = std::get<HttpSinkConfig>(next.sinks["web"]);
  sink.uri = "https://user:other@host/in?key=other";
  sink.auth_token = "other";
  sink.auth_password = "other";
  sink.headers = {{"X-Same", "hush"}, {"X-New", "other"}};
  const std::string text = to_text(difference(base(), next));
  EXPECT_EQ(text.find("hush"), std::string::npos) << text;
  EXPECT_EQ(text.find("other"), std::string::npos) << text;
  for (const char* line : {"auth.token: *** -> ***", "auth.password: ***", "headers.X-Gone: *** -> absent",
                           "headers.X-New: ***", "***@host"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << " in\n" << text;
  }
  EXPECT_EQ(text.find("X-Same"), std::string::npos);
  EXPECT_EQ(to_json(difference(base(), next)).find("hush"), std::string::npos);
}

TEST(DifferenceTest, AComponentThatTakesOverIsNoNewOne) {
  Config next = base();
  next.sources.clear();
  auto renamed = source("/a/*.log");
  renamed.formerly = "app";
  next.sources["srv"] = renamed;
  EXPECT_EQ(to_text(difference(base(), next)), "source srv: replaced, formerly app\n");
  // Later the note may stay or go: nothing changes.
  Config later = next;
  std::get<FileSourceConfig>(later.sources["srv"]).formerly.clear();
  EXPECT_TRUE(difference(next, later).empty());
  EXPECT_TRUE(runs_as(next.sources["srv"], later.sources["srv"]));
}

}  // namespace
}  // namespace logflume
