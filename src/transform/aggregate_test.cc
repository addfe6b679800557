#include <gmock/gmock.h>

#include "transform/transform_test_fixture.h"

namespace logflume {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Texts = std::map<std::string, std::string>;
using Names = std::vector<std::string>;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kNoon = 1767355200 * kSecond;  // 2026-01-02T12:00:00Z

// Behind a parser of JSON.
TestPipeline aggregating(TestKeys keys) {
  keys.emplace_back("window", Duration(std::chrono::minutes(1)));
  return TestPipeline({{"p", test_transform("parse_json", "app", {{"timestamp_field", std::string("t")}})},
                       {"a", test_transform("aggregate", "p", keys)}},
                      "a");
}

TestPlace at(std::int64_t wall_ns) { return {.wall_ns = wall_ns}; }

std::map<std::string_view, std::uint64_t> errors(const TestPipeline& pipeline) {
  const auto& all = pipeline.report("a").errors;
  return {all.begin(), all.end()};
}

TEST(AggregateTest, GroupsKeepTheTypesOfWhatTheyAreMadeOf) {
  TestPipeline pipeline =
      aggregating({{"by", Names{"user.id", "status"}}, {"fields", Texts{{"n", "count"}}}});
  EXPECT_THAT(pipeline.run({R"({"status":200,"user":{"id":1.50}})", R"({"status":"200","user":{"id":1.50}})",
                            R"({"status":200,"user":{"id":1.50}})", R"({"status":null})", R"({})"},
                           at(kNoon + kSecond)),
              IsEmpty());
  EXPECT_EQ(pipeline.count("a").discarded_events, 5U);
  EXPECT_THAT(pipeline.made(kNoon + kMinute - 1), IsEmpty()) << "it is not over";
  const TestEvent base{{"timestamp", "2026-01-02T12:00:00Z"}};
  const auto with = [&](TestEvent event) {
    event.insert(base.begin(), base.end());
    return event;
  };
  EXPECT_THAT(pipeline.made(kNoon + kMinute),
              ElementsAre(with({{"status", "200"}, {"user.id", "1.50"}, {"n", "2"}}),
                          with({{"status", "200"}, {"user.id", "1.50"}, {"n", "1"}}),
                          with({{"status", "null"}, {"n", "1"}}), with({{"n", "1"}})));
  EXPECT_EQ(pipeline.count("a").created_events, 4U);
  EXPECT_EQ(pipeline.count("a").sent_events, 4U);
  EXPECT_THAT(pipeline.made(), IsEmpty());
}

TEST(AggregateTest, TheLineOfAMadeEventIsItsJson) {
  TestPipeline pipeline({{"p", test_transform("parse_json", "app")},
                         {"a", test_transform("aggregate", "p",
                                              {{"by", Names{"user.id", "s", "user.name"}},
                                               {"fields", Texts{{"n", "count"}, {"\"q\"", "last(s)"}}}})}},
                        "a");
  (void)pipeline.run({R"({"user":{"id":7,"name":"x"},"s":"a\"\n"})", R"({"s":"b"})"}, at(kNoon));
  std::string text;
  pipeline.gatherings().close(Gathering::kAll, [&](std::size_t maker, GatheringSet::Part& part) {
    const auto run = pipeline.pipeline().take_run();
    run->make(maker, *part.gathered, part.again, {&pipeline.gatherings(), &part.sinks});
    text = run->batch()->text();
    EXPECT_TRUE(run->batch()->made);
    EXPECT_EQ(run->batch()->events, 2U);
  });
  EXPECT_EQ(
      text,
      R"({"timestamp":"2026-01-02T12:00:00Z","s":"a\"\n","user":{"id":7,"name":"x"},"\"q\"":"a\"\n","n":1})"
      "\n"
      R"({"timestamp":"2026-01-02T12:00:00Z","s":"b","\"q\"":"b","n":1})"
      "\n");
}

TEST(AggregateTest, Functions) {
  TestPipeline pipeline = aggregating({{"fields", Texts{{"all", "count"},
                                                        {"some", "count(v > 1)"},
                                                        {"sum", "sum(v)"},
                                                        {"least", "min(v)"},
                                                        {"most", "max(v)"},
                                                        {"mean", "avg(v)"},
                                                        {"first", "first(v)"},
                                                        {"last", "last(v)"},
                                                        {"kinds", "distinct(v)"},
                                                        {"whole", "sum(i)"},
                                                        {"none", "max(i)"},
                                                        {"nothing", "sum(null)"}}}});
  (void)pipeline.run({R"({"v":2.50})", R"({"v":"10"})", R"({"v":null})", R"({"v":1})", R"({"v":"x"})",
                      R"({"v":1,"i":9007199254740993})", R"({"v":"inf"})", R"({"i":2})"},
                     at(kNoon));
  EXPECT_EQ(errors(pipeline)["no_such_field"], 8U + 6 * 2) << "v of the last one, i of six";
  EXPECT_EQ(errors(pipeline)["not_a_number"], 4 * 2U) << "of the sum, the mean, the least, the most";
  EXPECT_THAT(pipeline.made(), ElementsAre(TestEvent{{"timestamp", "2026-01-02T12:00:00Z"},
                                                     {"all", "8"},
                                                     {"some", "1"},
                                                     {"sum", "14.5"},
                                                     {"least", "1"},
                                                     {"most", "10"},
                                                     {"mean", "3.625"},
                                                     {"first", "2.50"},
                                                     {"last", "inf"},
                                                     {"kinds", "5"},
                                                     {"whole", "9007199254740995"},
                                                     {"none", "9007199254740993"},
                                                     {"nothing", "0"}}));
}

TEST(AggregateTest, AnEventCountsInTheWindowInWhichItWasRead) {
  TestPipeline pipeline = aggregating({{"fields", Texts{{"n", "count"}}}});
  (void)pipeline.run({"{}", "{}"}, at(kNoon + 59 * kSecond));
  EXPECT_EQ(pipeline.gatherings().due_ns(), kNoon + kMinute);
  (void)pipeline.run({"{}"}, at(kNoon + kMinute));
  EXPECT_THAT(pipeline.made(kNoon + kMinute),
              ElementsAre(TestEvent{{"timestamp", "2026-01-02T12:00:00Z"}, {"n", "2"}}));
  EXPECT_THAT(pipeline.made(kNoon + 2 * kMinute),
              ElementsAre(TestEvent{{"timestamp", "2026-01-02T12:01:00Z"}, {"n", "1"}}));
  EXPECT_EQ(pipeline.gatherings().due_ns(), Gathering::kAll);
  EXPECT_LT(pipeline.gatherings().memory_bytes(), 1000U);
  // The clock was set back: nothing waits for a window that is yet to come.
  (void)pipeline.run({"{}"}, at(kNoon + 60 * kMinute));
  EXPECT_EQ(pipeline.made(kNoon + 3 * kMinute).size(), 1U);
}

TEST(AggregateTest, AWindowOfEventsTimesStaysOpenAsLongAsEventsCome) {
  TestPipeline pipeline = aggregating(
      {{"fields", Texts{{"n", "count"}}}, {"time", std::string("event")}, {"grace", Duration(5s)}});
  const std::string first = R"({"t":"2026-01-02T08:00:01Z"})", second = R"({"t":"2026-01-02T08:01:00Z"})";
  const TestEvent of_first{{"timestamp", "2026-01-02T08:00:00Z"}, {"n", "2"}};
  (void)pipeline.run({first, second}, at(kNoon));
  (void)pipeline.run({first}, at(kNoon + 3 * kSecond));
  EXPECT_EQ(pipeline.gatherings().due_ns(), kNoon + 5 * kSecond);
  EXPECT_THAT(pipeline.made(kNoon + 5 * kSecond),
              ElementsAre(TestEvent{{"timestamp", "2026-01-02T08:01:00Z"}, {"n", "1"}}));
  EXPECT_THAT(pipeline.made(kNoon + 8 * kSecond), ElementsAre(of_first));
  (void)pipeline.run({first, first}, at(kNoon + 9 * kSecond));
  EXPECT_EQ(errors(pipeline)["late"], 2U);
  EXPECT_THAT(pipeline.made(kNoon + 14 * kSecond), ElementsAre(of_first)) << "another event for the window";
  // One without a time counts when it was read, and no event is later than that.
  (void)pipeline.run({R"({"t":"2027-01-02T08:00:01Z"})", "{}"}, at(kNoon + kMinute - 1));
  EXPECT_EQ(pipeline.gatherings().due_ns(), kNoon + kMinute + 5 * kSecond);
  EXPECT_THAT(pipeline.made(), ElementsAre(TestEvent{{"timestamp", "2026-01-02T12:00:00Z"}, {"n", "2"}}));
}

TEST(AggregateTest, TooManyGroupsCloseOlderWindowsOrAreCounted) {
  TestPipeline pipeline = aggregating({{"by", Names{"k"}},
                                       {"fields", Texts{{"n", "count"}}},
                                       {"time", std::string("event")},
                                       {"max_groups", std::uint64_t{3}}});
  const auto line = [](int k, int minute) {
    return R"({"k":)" + std::to_string(k) + R"(,"t":"2026-01-02T08:0)" + std::to_string(minute) + R"(:00Z"})";
  };
  (void)pipeline.run({line(1, 0), line(2, 0), line(3, 0), line(4, 0), line(1, 0)}, at(kNoon));
  EXPECT_EQ(errors(pipeline)["too_many_groups"], 1U);
  EXPECT_EQ(pipeline.made(kNoon).size(), 0U);
  (void)pipeline.run({line(1, 1)}, at(kNoon));
  EXPECT_THAT(errors(pipeline), IsEmpty());
  EXPECT_EQ(pipeline.gatherings().due_ns(), INT64_MIN) << "the first window is over";
  EXPECT_EQ(pipeline.made(kNoon).size(), 3U);
  EXPECT_EQ(pipeline.made().size(), 1U);
}

TEST(AggregateTest, DifferentValuesAreKeptUpToALimit) {
  TestPipeline pipeline =
      aggregating({{"fields", Texts{{"n", "distinct(v)"}}}, {"max_values", std::uint64_t{100}}});
  std::vector<std::string> lines;
  for (int i = 0; i < 150; ++i) lines.push_back("{\"v\":" + std::to_string(i % 110) + "}");
  (void)pipeline.run(lines, at(kNoon));
  EXPECT_EQ(errors(pipeline)["too_many_values"], 10U);
  EXPECT_EQ(pipeline.made()[0]["n"], "100");
  (void)pipeline.run(lines, at(kNoon + kMinute));
  EXPECT_EQ(pipeline.made()[0]["n"], "100") << "those of a window that is over are forgotten";
}

// Goal: what many groups over many windows come to is what it should be, whatever is kept for reuse.
TEST(AggregateTest, ManyGroupsInManyWindows) {
  TestPipeline pipeline =
      aggregating({{"by", Names{"k"}}, {"fields", Texts{{"n", "count"}, {"s", "last(k)"}}}});
  for (int window = 0; window < 20; ++window) {
    std::vector<std::string> lines;
    const int groups = 1 + window * 37 % 700;
    for (int i = 0; i < 3 * groups; ++i)
      lines.push_back("{\"k\":\"group " + std::to_string(window * 100 + i % groups) + "\"}");
    (void)pipeline.run(lines, at(kNoon + window * kMinute));
    if (window % 3 != 2) continue;
    std::map<std::string, int> seen;
    for (const TestEvent& event : pipeline.made(kNoon + (window + 1) * kMinute)) {
      EXPECT_EQ(event.at("n"), "3");
      EXPECT_EQ(event.at("k"), event.at("s"));
      ++seen[event.at("timestamp")];
    }
    EXPECT_EQ(seen.size(), 3U);
  }
}

TEST(AggregateTest, WhatIsMadeGoesOnThroughTheTransformsBehind) {
  const auto keys = [](const char* window, Texts fields, const char* by) {
    return TestKeys{
        {"window", Duration(std::string(window) == "1s" ? Duration(1s) : Duration(std::chrono::minutes(1)))},
        {"fields", std::move(fields)},
        {"by", Names{by}},
        {"time", std::string("event")}};
  };
  TestPipeline pipeline(
      {{"p", test_transform("parse_json", "app", {{"timestamp_field", std::string("t")}})},
       {"second", test_transform("aggregate", "p", keys("1s", {{"n", "count"}}, "k"))},
       {"busy", test_transform("filter", "second", {{"condition", std::string("n > 1")}})},
       {"minute",
        test_transform("aggregate", "busy", keys("1m", {{"seconds", "count"}, {"n", "sum(n)"}}, "k"))},
       {"s", test_transform("set", "minute", {{"fields", Texts{{"mean", "n / seconds"}}}})}},
      "s");
  std::vector<std::string> lines;
  for (int second = 10; second < 20; ++second) {
    for (int i = 0; i < second - 8; ++i)
      lines.push_back(R"({"k":"a","t":"2026-01-02T08:00:)" + std::to_string(second) + R"(Z"})");
    lines.push_back(R"({"k":"b","t":"2026-01-02T08:00:)" + std::to_string(second) + R"(Z"})");
  }
  EXPECT_THAT(pipeline.run(lines, at(kNoon)), IsEmpty());
  EXPECT_THAT(
      pipeline.made(),
      ElementsAre(TestEvent{
          {"timestamp", "2026-01-02T08:00:00Z"}, {"k", "a"}, {"seconds", "10"}, {"n", "65"}, {"mean", "6"}}));
}

std::string error_of_fields(const Texts& fields, const Names& by = {}) {
  const auto config = test_transform("aggregate", "app", {{"fields", fields}, {"by", by}});
  const TransformBuilt built = config.build(TransformPlan::source_schema());
  const auto* const error = std::get_if<TransformError>(&built);
  return error == nullptr ? "" : error->key + ":" + std::to_string(error->at) + ": " + error->message;
}

TEST(AggregateTest, WhatIsWrongIsSaidWhereItStands) {
  EXPECT_EQ(error_of_fields({{"n", "count"}}), "");
  EXPECT_EQ(error_of_fields({{"n", "total(x)"}}), "fields.n:0: there is no function \"total\"");
  EXPECT_EQ(error_of_fields({{"n", "sum"}}), "fields.n:3: sum of what?");
  EXPECT_EQ(error_of_fields({{"n", "sum(size(message)"}}).substr(0, 9), "fields.n:");
  EXPECT_EQ(error_of_fields({{"n", "max(1 + mesage)"}}).substr(0, 10), "fields.n:8");
  EXPECT_EQ(error_of_fields({{"n", "max(1) "}}), "fields.n:7: there is no \")\" at the end");
  EXPECT_EQ(error_of_fields({{"timestamp", "count"}}),
            "fields.timestamp:" + std::to_string(SIZE_MAX) + ": \"timestamp\" is there already");
  EXPECT_EQ(error_of_fields({{"host", "count"}}, {"host"}).substr(0, 12), "fields.host:");
  EXPECT_EQ(error_of_fields({{"n", "count"}}, {"nowhere"}).substr(0, 3), "by:");
}

}  // namespace
}  // namespace logflume
