#include "transform/transform_test_fixture.h"

namespace logflume {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::vector<std::string> messages(const std::vector<TestEvent>& events) {
  std::vector<std::string> all;
  for (const TestEvent& event : events) {
    const auto suppressed = event.find("suppressed");
    all.push_back(event.at("message") + (suppressed == event.end() ? "" : " +" + suppressed->second));
  }
  return all;
}

using Messages = std::vector<std::string>;

TEST(DedupeTest, EqualLinesWithinTheWindowAreCounted) {
  TestPipeline pipeline({{"d", test_transform("dedupe", "app")}}, "d");
  EXPECT_EQ(messages(pipeline.run({"a", "b", "a", "a", ""}, {.wall_ns = 100 * kSecond})),
            (Messages{"a", "b", ""}));
  EXPECT_EQ(pipeline.report("d").discarded, 2U);
  EXPECT_EQ(messages(pipeline.run({"b", "a"}, {.begin = 100, .wall_ns = 130 * kSecond})), Messages{});
  EXPECT_EQ(messages(pipeline.run({"a", "a", "b"}, {.begin = 200, .wall_ns = 130 * kSecond + 1})),
            (Messages{"a +3", "b +1"}));
  EXPECT_EQ(messages(pipeline.run({"a"}, {.begin = 300, .wall_ns = 200 * kSecond})), Messages{"a +1"});
  EXPECT_EQ(messages(pipeline.run({"a"}, {.begin = 400, .wall_ns = 300 * kSecond})), Messages{"a"});
  EXPECT_EQ(messages(pipeline.run({"a"}, {.begin = 500, .wall_ns = 200 * kSecond})), Messages{"a"})
      << "the clock was set back";
}

TEST(DedupeTest, EventsAreEqualIfTheirFieldsAre) {
  TestPipeline pipeline({{"p", test_transform("parse_json", "app", {{"keep_original", true}})},
                         {"d", test_transform("dedupe", "p",
                                              {{"fields", std::vector<std::string>{"a", "o.b"}},
                                               {"count_field", std::string()}})}},
                        "d");
  const std::vector<std::string> different{R"({"a":"x","o":{"b":"y"}})",
                                           R"({"a":"xy","o":{"b":""}})",
                                           R"({"a":"xy"})",
                                           R"({"o":{"b":"xy"}})",
                                           R"({"a":1})",
                                           R"({"a":"1"})",
                                           R"({"a":null})",
                                           R"({})"};
  EXPECT_EQ(messages(pipeline.run(different)), different);
  EXPECT_EQ(messages(pipeline.run({R"({"n":1,"a":"x","o":{"c":1,"b":"y"}})", R"({"n":2})"})), Messages{});
}

TEST(DedupeTest, WhoReadsAgainGetsWhatTheOthersGot) {
  TestPipeline pipeline({{"d", test_transform("dedupe", "app")}}, "d");
  const TestBatch first({"a", "b", "a"});
  const TestBatch second({"a", "c"}, {.begin = 6});
  const Messages both{"a", "b", "c"};
  const auto read = [&](bool again) {
    Messages all = messages(pipeline.run(first, again));
    const Messages more = messages(pipeline.run(second, again));
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  EXPECT_EQ(read(false), both);
  EXPECT_EQ(read(true), both);
  EXPECT_EQ(read(true), both) << "and another one that was behind";
  EXPECT_EQ(messages(pipeline.run({"a"}, {.begin = 10})), Messages{}) << "the others are not disturbed";
}

TEST(DedupeTest, TheWindowMayBeThatOfTheEvents) {
  TestPipeline pipeline(
      {{"p", test_transform("parse_json", "app",
                            {{"keep_original", true}, {"timestamp_field", std::string("t")}})},
       {"d", test_transform("dedupe", "p",
                            {{"fields", std::vector<std::string>{"k"}},
                             {"time", std::string("event")},
                             {"window", Duration(10s)}})}},
      "d");
  const auto at = [](int minute, int second) {
    return "{\"k\":1,\"t\":\"2026-01-02T03:0" + std::to_string(minute) + ":" + std::to_string(second) +
           "Z\"}";
  };
  EXPECT_EQ(messages(pipeline.run({at(1, 10), at(1, 20), at(1, 21), at(1, 30), at(2, 10), at(2, 11)})),
            (Messages{at(1, 10), at(1, 21) + " +1", at(2, 10) + " +1"}));
}

}  // namespace
}  // namespace logflume
