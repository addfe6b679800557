#include <set>

#include "transform/transform_test_fixture.h"

namespace logflume {
namespace {

std::vector<std::string> numbered(int count) {
  std::vector<std::string> lines;
  for (int i = 0; i < count; ++i) lines.push_back("{\"n\":" + std::to_string(i) + "}");
  return lines;
}

std::set<std::string> messages(const std::vector<TestEvent>& events) {
  std::set<std::string> all;
  for (const TestEvent& event : events) all.insert(event.at("message"));
  return all;
}

TEST(SampleTest, OneOfSoManyPassesAndTheSameOnesToWhoeverReadsAgain) {
  TestPipeline pipeline({{"s", test_transform("sample", "app", {{"rate", std::uint64_t{10}}})}}, "s");
  const std::vector<std::string> lines = numbered(10'000);
  const auto all = messages(pipeline.run(lines));
  EXPECT_NEAR(static_cast<double>(all.size()), 1000, 150);
  EXPECT_EQ(pipeline.report("s").discarded, lines.size() - all.size());

  // The same bytes, cut elsewhere.
  const std::vector<std::string> first(lines.begin(), lines.begin() + 3000);
  const std::vector<std::string> rest(lines.begin() + 3000, lines.end());
  std::size_t begin = 0;
  for (const std::string& line : first) begin += line.size() + 1;
  std::set<std::string> again = messages(pipeline.run(first));
  again.merge(messages(pipeline.run(rest, {.begin = begin})));
  EXPECT_EQ(again, all);

  EXPECT_NE(messages(pipeline.run(lines, {.file_id = 8})), all) << "another file has other ones";
}

TEST(SampleTest, TwoBehindEachOtherChooseIndependently) {
  TestPipeline pipeline({{"a", test_transform("sample", "app", {{"rate", std::uint64_t{10}}})},
                         {"b", test_transform("sample", "a", {{"rate", std::uint64_t{10}}})}},
                        "b");
  EXPECT_NEAR(static_cast<double>(pipeline.run(numbered(20'000)).size()), 200, 80);
}

TEST(SampleTest, EventsOfAKeyStayTogetherWhereverTheyStand) {
  TestPipeline pipeline(
      {{"p", test_transform("parse_json", "app")},
       {"s", test_transform("sample", "p", {{"rate", std::uint64_t{4}}, {"key", std::string("id")}})}},
      "s");
  std::vector<std::string> lines;
  for (int i = 0; i < 400; ++i) lines.push_back("{\"id\":" + std::to_string(i % 100) + "}");
  for (int i = 0; i < 100; ++i) lines.push_back("{\"id\":\"" + std::to_string(i) + "\"}");
  std::map<std::string, int> passed;
  for (const TestEvent& event : pipeline.run(lines)) ++passed[event.at("id")];
  EXPECT_NEAR(static_cast<double>(passed.size()), 25, 15);
  for (const auto& [id, count] : passed) EXPECT_EQ(count, 5) << "a number is as its digits: " << id;

  // Without the key each goes by its place.
  const std::size_t without = pipeline.run(std::vector<std::string>(1000, "{\"a\":1}")).size();
  EXPECT_NEAR(static_cast<double>(without), 250, 80);
}

TEST(SampleTest, WhatIsAlwaysKeptStandsForItselfOnly) {
  TestPipeline pipeline({{"p", test_transform("parse_json", "app")},
                         {"s", test_transform("sample", "p",
                                              {{"rate", std::uint64_t{1'000'000}},
                                               {"always_keep", std::string("n >= 90")},
                                               {"rate_field", std::string("sample_rate")}})}},
                        "s");
  const auto events = pipeline.run(numbered(100));
  ASSERT_EQ(events.size(), 10U);
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].at("n"), std::to_string(90 + i));
    EXPECT_EQ(events[i].at("sample_rate"), "1");
  }
  EXPECT_EQ(pipeline.count("s").discarded_events, 90U);
}

}  // namespace
}  // namespace logflume
