#include <gmock/gmock.h>

#include <random>

#include "transform/transform_test_fixture.h"

namespace logflume {
namespace {

using testing::ElementsAre;
using testing::Pair;
using Lines = std::vector<std::string>;

AnyTransformConfig joining(const std::string& input, TestKeys keys = {}) {
  if (keys.empty()) keys.emplace_back("start_pattern", std::string("^[A-Z]"));
  return test_transform("multiline", input, keys);
}

Lines messages(const std::vector<TestEvent>& events) {
  Lines out;
  for (const TestEvent& event : events) out.push_back(event.at("message"));
  return out;
}

TEST(MultilineTransformTest, LinesOfOneBatchAreJoinedWhereTheyStand) {
  TestPipeline pipeline({{"m", joining("app")}}, "m");
  EXPECT_THAT(messages(pipeline.run({"a", "B", "b1", "b2", "C", "D", "d1"})),
              ElementsAre("a", "B\nb1\nb2", "C"));
  EXPECT_EQ(pipeline.count("m").received_events, 7U);
  EXPECT_EQ(pipeline.count("m").sent_events, 3U);
  EXPECT_EQ(pipeline.count("m").discarded_events, 4U) << "they are in others, or in the one that is open";
  EXPECT_THAT(messages(pipeline.joined()), ElementsAre("D\nd1"));
  EXPECT_THAT(pipeline.joined(), testing::IsEmpty());
}

TEST(MultilineTransformTest, AnEventGoesOnInTheNextBatches) {
  TestPipeline pipeline({{"m", joining("app")}}, "m");
  EXPECT_THAT(messages(pipeline.run(Lines{"A"})), ElementsAre());
  EXPECT_THAT(messages(pipeline.run(Lines{"a1", "a2"})), ElementsAre());
  EXPECT_THAT(messages(pipeline.run(Lines{"a3", "B"})), ElementsAre("A\na1\na2\na3"));
  EXPECT_THAT(messages(pipeline.run(Lines{"C"})), ElementsAre("B"));
}

TEST(MultilineTransformTest, AnEventHasTheFieldsOfItsFirstLine) {
  for (const bool cut : {false, true}) {
    TestPipeline pipeline(
        {{"j", test_transform("parse_json", "app")},
         {"m", joining("j", {{"field", std::string("text")}, {"start_pattern", std::string("^[A-Z]")}})}},
        "m");
    const Lines lines{R"({"text":"A\tx","n":1,"o":{"k":1e3},"t":true})", R"({"text":"more","n":2,"late":7})"};
    std::vector<TestEvent> events;
    if (cut) {
      (void)pipeline.run(Lines{lines[0]});
      (void)pipeline.run(Lines{lines[1]});
      events = pipeline.joined();
    } else {
      events = pipeline.run({lines[0], lines[1], R"({"text":"B"})"});
    }
    ASSERT_EQ(events.size(), 1U) << cut;
    EXPECT_THAT(events[0], ElementsAre(Pair("n", "1"), Pair("o", R"({"k":1e3})"), Pair("t", "true"),
                                       Pair("text", "A\tx\nmore")))
        << cut;
  }
}

TEST(MultilineTransformTest, WhatHasNoTextThereIsAnEventByItself) {
  TestPipeline pipeline(
      {{"j", test_transform("parse_json", "app")},
       {"m", joining("j", {{"field", std::string("x")}, {"start_pattern", std::string("^[A-Z]")}})}},
      "m");
  const auto events =
      pipeline.run({R"({"x":"A"})", R"({"x":"a"})", R"({"x":true})", R"({"x":"a"})", R"({"y":2})"});
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[0].at("x"), "A\na");
  EXPECT_EQ(events[1].at("x"), "true");
  EXPECT_EQ(events[2].at("x"), "a");
  EXPECT_EQ(events[3].at("y"), "2");
}

TEST(MultilineTransformTest, WhatAFilterHasTakenOutIsNotInIt) {
  TestPipeline pipeline(
      {{"f", test_transform("filter", "app", {{"condition", std::string("message != 'noise'")}})},
       {"m", joining("f")}},
      "m");
  EXPECT_THAT(messages(pipeline.run({"A", "noise", "a", "noise", "B", "noise"})), ElementsAre("A\na"));
  EXPECT_THAT(messages(pipeline.run({"noise", "b", "C"})), ElementsAre("B\nb"));
}

TEST(MultilineTransformTest, LimitsEndAnEvent) {
  TestPipeline pipeline({{"m", joining("app", {{"start_pattern", std::string("^[A-Z]")},
                                               {"max_lines", std::uint64_t{2}},
                                               {"max_bytes", std::uint64_t{6}}})}},
                        "m");
  EXPECT_THAT(messages(pipeline.run({"A", "a", "b", "c", "d", "E", "eeeeee"})),
              ElementsAre("A\na", "b\nc", "d", "E"));
  EXPECT_THAT(messages(pipeline.joined()), ElementsAre("eeeeee"));
  EXPECT_THAT(pipeline.metrics(),
              testing::HasSubstr(R"(cut_events_total{component="m",reason="max_lines"} 2)"));
  EXPECT_THAT(pipeline.metrics(),
              testing::HasSubstr(R"(cut_events_total{component="m",reason="max_bytes"} 1)"));
}

TEST(MultilineTransformTest, OneBehindTheOther) {
  TestPipeline pipeline({{"m", joining("app", {{"continue_pattern", std::string("^ ")}})},
                         {"n", joining("m", {{"start_pattern", std::string("^[A-Z]")}})}},
                        "n");
  EXPECT_THAT(messages(pipeline.run(Lines{"A", " a"})), ElementsAre());
  EXPECT_THAT(messages(pipeline.run(Lines{" b", "c"})), ElementsAre());
  EXPECT_THAT(messages(pipeline.run(Lines{" d", "E", "F"})), ElementsAre("A\n a\n b\nc\n d"));
  EXPECT_THAT(messages(pipeline.joined()), ElementsAre("E", "F"));
}

// Goal: how lines are cut into batches does not matter.
// Method: random lines, cut at random and not at all.
TEST(MultilineTransformTest, BatchesDoNotMatter) {
  std::mt19937 random(7);
  const std::vector<TestKeys> rules = {
      {{"start_pattern", std::string("^[A-Z]")}},
      {{"continue_pattern", std::string("^[a-c]")}},
      {{"start_pattern", std::string("^[A-Z]")}, {"end_pattern", std::string("d$")}},
      {{"start_pattern", std::string("^[A-Z]")}, {"max_lines", std::uint64_t{3}}},
      {{"start_pattern", std::string("^[A-Z]")}, {"max_bytes", std::uint64_t{9}}},
      {{"preset", std::string("java")}},
      {{"preset", std::string("cri")}},
  };
  for (int round = 0; round < 300; ++round) {
    const TestKeys& keys = rules[random() % rules.size()];
    const bool fields = random() % 3 == 0;
    TransformPlan::Transforms transforms;
    if (fields)
      transforms.emplace(
          "p", test_transform("parse_regex", "app", {{"pattern", std::string("^(?<message>.*?)(?<z>z?)$")}}));
    transforms.emplace("m", joining(fields ? "p" : "app", keys));
    TestPipeline whole(transforms, "m"), cut(transforms, "m");
    Lines lines;
    for (std::size_t i = random() % 30; i > 0; --i) {
      static const std::string kFirst = "AbcdE \t2";
      std::string line(1, kFirst[random() % kFirst.size()]);
      if (random() % 8 == 0) line.clear();
      for (std::size_t more = random() % 4; more > 0; --more) line += "xzd "[random() % 4];
      if (random() % 4 == 0)
        line = "2026-01-02T03:04:05.6Z stdout " + std::string(random() % 2 ? "P " : "F ") + line;
      lines.push_back(line);
    }
    std::vector<TestEvent> expected = whole.run(lines), got;
    for (TestEvent& event : whole.joined()) expected.push_back(std::move(event));
    std::uint64_t at = 0;
    for (std::size_t from = 0; from < lines.size();) {
      const std::size_t to = std::min(lines.size(), from + 1 + random() % 4);
      const Lines some(lines.begin() + static_cast<std::ptrdiff_t>(from),
                       lines.begin() + static_cast<std::ptrdiff_t>(to));
      for (TestEvent& event : cut.run(some, {.begin = at})) got.push_back(std::move(event));
      for (const std::string& line : some) at += line.size() + 1;
      from = to;
    }
    for (TestEvent& event : cut.joined()) got.push_back(std::move(event));
    ASSERT_EQ(got, expected) << round;
  }
}

}  // namespace
}  // namespace logflume
