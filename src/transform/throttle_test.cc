#include "transform/transform_test_fixture.h"

namespace logflume {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

AnyTransformConfig throttle(const std::string& input, std::uint64_t events, TestKeys keys = {}) {
  keys.emplace_back("events", events);
  return test_transform("throttle", input, keys);
}

TEST(ThrottleTest, SoManyPassInEachWindow) {
  TestPipeline pipeline({{"t", throttle("app", 3)}}, "t");
  const std::vector<std::string> lines{"a", "b", "c", "d", "e"};
  EXPECT_EQ(pipeline.run(lines, {.wall_ns = 100 * kSecond}).size(), 3U);
  EXPECT_EQ(pipeline.report("t").discarded, 2U);
  EXPECT_EQ(pipeline.run(lines, {.wall_ns = 100 * kSecond + kSecond - 1}).size(), 0U);
  EXPECT_EQ(pipeline.run({"a"}, {.wall_ns = 101 * kSecond}).size(), 1U);
  EXPECT_EQ(pipeline.run(lines, {.wall_ns = 101 * kSecond}).size(), 2U);
  EXPECT_EQ(pipeline.run(lines, {.wall_ns = 50 * kSecond}).size(), 3U) << "the clock was set back";
  EXPECT_EQ(pipeline.run(lines, {.wall_ns = -kSecond}).size(), 3U) << "before 1970";
  EXPECT_EQ(pipeline.run(lines, {.wall_ns = -1}).size(), 0U) << "that is in the same second";
}

TEST(ThrottleTest, EachKeyHasItsCount) {
  TestPipeline pipeline(
      {{"p", test_transform("parse_json", "app")}, {"t", throttle("p", 2, {{"key", std::string("k")}})}},
      "t");
  std::vector<std::string> lines;
  for (int i = 0; i < 5; ++i) {
    for (const char* k : {"1", "\"x\"", "null", "\"\""}) lines.push_back(std::string("{\"k\":") + k + "}");
    lines.emplace_back("{}");
  }
  std::map<std::string, int> passed;
  for (const TestEvent& event : pipeline.run(lines)) ++passed[event.contains("k") ? event.at("k") : "-"];
  EXPECT_EQ(passed["1"], 2);
  EXPECT_EQ(passed["x"], 2);
  EXPECT_EQ(passed[""], 2);
  EXPECT_EQ(passed["null"] + passed["-"], 2) << "those without a key share a count";
}

TEST(ThrottleTest, KeysThatAreForgottenBeginAnew) {
  TestPipeline pipeline(
      {{"p", test_transform("parse_json", "app")},
       {"t", throttle("p", 1, {{"key", std::string("k")}, {"max_keys", std::uint64_t{2}}})}},
      "t");
  EXPECT_EQ(pipeline.run({"{\"k\":1}", "{\"k\":2}", "{\"k\":1}", "{\"k\":2}"}).size(), 2U);
  EXPECT_EQ(pipeline.run({"{\"k\":3}", "{\"k\":2}", "{\"k\":1}"}).size(), 2U);
}

TEST(ThrottleTest, WhoReadsAgainHasACountOfHisOwn) {
  TestPipeline pipeline({{"t", throttle("app", 3)}}, "t");
  const TestBatch batch({"a", "b", "c", "d"});
  EXPECT_EQ(pipeline.run(batch).size(), 3U);
  EXPECT_EQ(pipeline.run(batch, true).size(), 3U);
  EXPECT_EQ(pipeline.run(batch, true).size(), 0U);
}

TEST(ThrottleTest, WindowsMayBeThoseOfTheEvents) {
  TestPipeline pipeline({{"p", test_transform("parse_json", "app", {{"timestamp_field", std::string("t")}})},
                         {"t", throttle("p", 2, {{"time", std::string("event")}})}},
                        "t");
  const auto at = [](int second) { return "{\"t\":\"2026-01-02T03:04:0" + std::to_string(second) + "Z\"}"; };
  std::vector<std::string> lines;
  for (int second = 0; second < 5; ++second) lines.insert(lines.end(), 4, at(second));
  const TestBatch batch(lines);
  EXPECT_EQ(pipeline.run(batch).size(), 10U) << "read at once, written in five seconds";
  EXPECT_EQ(pipeline.run(batch, true).size(), 10U);
  EXPECT_EQ(pipeline.run({at(3)}).size(), 0U) << "late events count in the latest window";
  EXPECT_EQ(pipeline.run({at(9), at(9), at(9)}).size(), 2U) << "the future is now";
  EXPECT_EQ(pipeline.run({"{\"t\":1}"}).size(), 0U) << "now is the future that was";
}

}  // namespace
}  // namespace logflume
