#include <gmock/gmock.h>

#include <thread>

#include "transform/transform_test_fixture.h"

namespace logflume {
namespace {

using testing::HasSubstr;
using testing::Not;
using Texts = std::map<std::string, std::string>;

// Behind a parser of JSON, and nobody takes what comes out of it.
TestPipeline measuring(TestKeys keys, const std::string& name = "m") {
  keys.emplace_back("name", name);
  return TestPipeline(
      {{"p", test_transform("parse_json", "app")}, {"m", test_transform("log_to_metric", "p", keys)}}, "p");
}

TEST(LogToMetricTest, CountsByLabels) {
  TestPipeline pipeline =
      measuring({{"labels", Texts{{"method", "method"}, {"code", "string(status / 100)"}}},
                 {"condition", std::string("status >= 200")},
                 {"help", std::string("Requests.")}},
                "requests_total");
  const std::vector<std::string> lines{R"({"method":"GET","status":200})", R"({"method":"GET","status":299})",
                                       R"({"method":"PUT","status":500})", R"({"status":404})",
                                       R"({"method":"GET","status":100})"};
  EXPECT_EQ(pipeline.run(lines).size(), lines.size());
  EXPECT_THAT(pipeline.metrics(), HasSubstr("# HELP requests_total Requests.\n# TYPE requests_total counter\n"
                                            "requests_total{code=\"2\",method=\"GET\"} 2\n"
                                            "requests_total{code=\"4\",method=\"\"} 1\n"
                                            "requests_total{code=\"5\",method=\"PUT\"} 1\n"));
  (void)pipeline.run(TestBatch(lines), true);
  (void)pipeline.run({lines[0]});
  EXPECT_THAT(pipeline.metrics(), HasSubstr("requests_total{code=\"2\",method=\"GET\"} 3\n"))
      << "what is read again was counted";
}

TEST(LogToMetricTest, AddsUpValues) {
  TestPipeline pipeline = measuring({{"value", std::string("bytes")}});
  EXPECT_THAT(pipeline.metrics(), HasSubstr("m 0\n")) << "from the begin on";
  (void)pipeline.run({R"({"bytes":1.5})", R"({"bytes":"2"})", R"({"bytes":true})", R"({"bytes":"x"})",
                      R"({"bytes":-1})", R"({})", R"({"bytes":null})", R"({"bytes":"nan"})"});
  EXPECT_THAT(pipeline.metrics(), HasSubstr("m 4.5\n"));
  std::map<std::string_view, std::uint64_t> errors(pipeline.report("m").errors.begin(),
                                                   pipeline.report("m").errors.end());
  EXPECT_EQ(errors, (std::map<std::string_view, std::uint64_t>{
                        {"not_a_number", 3}, {"negative", 1}, {"no_such_field", 1}}));
}

TEST(LogToMetricTest, OfAGaugeTheLastValueCounts) {
  TestPipeline pipeline = measuring({{"kind", std::string("gauge")}, {"value", std::string("v")}});
  EXPECT_THAT(pipeline.metrics(), Not(HasSubstr("\nm ")));
  (void)pipeline.run({R"({"v":7})", R"({"v":-2.5})"});
  EXPECT_THAT(pipeline.metrics(), HasSubstr("# TYPE m gauge\nm -2.5\n"));
}

// Behind a parser of JSON; a sink takes the events that it makes.
TestPipeline making(TestKeys keys) {
  keys.emplace_back("name", std::string("m"));
  keys.emplace_back("interval", Duration(std::chrono::seconds(10)));
  return TestPipeline(
      {{"p", test_transform("parse_json", "app")}, {"m", test_transform("log_to_metric", "p", keys)}},
      "m.events");
}

TEST(LogToMetricTest, MakesEventsOfWhatAnIntervalHasAdded) {
  const TestPlace first{.wall_ns = 1767323045678000000}, second{.wall_ns = 1767323052000000000};
  TestPipeline counter = making({{"labels", Texts{{"code", "status"}}}, {"value", std::string("bytes")}});
  const std::vector<std::string> lines{R"({"status":200,"bytes":1.5})", R"({"status":200,"bytes":2})",
                                       R"({"status":404,"bytes":-1})", R"({"status":404,"bytes":"7"})", "{}"};
  EXPECT_TRUE(counter.run(lines, first).empty());
  EXPECT_EQ(counter.count("m").sent_events, lines.size()) << "they pass";
  EXPECT_TRUE(counter.run({lines[0]}, second).empty());
  const auto event = [](const char* at, const char* code, const char* value) {
    return TestEvent{{"timestamp", std::string("2026-01-02T03:04:") + at + "Z"},
                     {"metric", "m"},
                     {"labels.code", code},
                     {"value", value}};
  };
  EXPECT_THAT(counter.made(1767323050000000000),
              testing::ElementsAre(event("00", "200", "3.5"), event("00", "404", "7")));
  EXPECT_THAT(counter.made(), testing::ElementsAre(event("10", "200", "1.5")));
  EXPECT_EQ(counter.count("m").created_events, 1U);
  EXPECT_THAT(counter.metrics(), HasSubstr("m{code=\"200\"} 5\n"));
  // Who reads again gets events of what he reads, and the metric stays as it is.
  EXPECT_TRUE(counter.run(TestBatch(lines, second), true).empty());
  EXPECT_THAT(counter.made(), testing::ElementsAre(event("10", "200", "3.5"), event("10", "404", "7")));
  EXPECT_THAT(counter.metrics(), HasSubstr("m{code=\"200\"} 5\n"));

  TestPipeline gauge = making({{"kind", std::string("gauge")}, {"value", std::string("bytes")}});
  (void)gauge.run(lines, first);
  EXPECT_THAT(gauge.made(), testing::ElementsAre(TestEvent{
                                {"timestamp", "2026-01-02T03:04:00Z"}, {"metric", "m"}, {"value", "7"}}));

  TestPipeline histogram = making({{"kind", std::string("histogram")},
                                   {"value", std::string("bytes")},
                                   {"buckets", std::vector<std::string>{"1", "2"}}});
  (void)histogram.run(lines, first);
  EXPECT_THAT(histogram.made(), testing::ElementsAre(TestEvent{{"timestamp", "2026-01-02T03:04:00Z"},
                                                               {"metric", "m"},
                                                               {"count", "4"},
                                                               {"sum", "9.5"},
                                                               {"buckets.1", "1"},
                                                               {"buckets.2", "3"}}));
}

TEST(LogToMetricTest, DistributesValues) {
  TestPipeline pipeline = measuring({{"kind", std::string("histogram")},
                                     {"value", std::string("duration(took)")},
                                     {"buckets", std::vector<std::string>{"0.5", "1"}}});
  (void)pipeline.run({R"({"took":"250ms"})", R"({"took":"500ms"})", R"({"took":"1s"})", R"({"took":"1m"})"});
  EXPECT_THAT(pipeline.metrics(), HasSubstr("m_bucket{le=\"0.5\"} 2\nm_bucket{le=\"1\"} 3\n"
                                            "m_bucket{le=\"+Inf\"} 4\nm_sum 61.75\nm_count 4\n"));
}

TEST(LogToMetricTest, SeriesAreBoundedWhateverTheLabelsAre) {
  TestPipeline pipeline =
      measuring({{"labels", Texts{{"k", "k"}}}, {"max_series", std::uint64_t{3}}}, "bounded");
  std::vector<std::string> lines;
  const std::string longest(300, 'x');
  lines.push_back("{\"k\":\"" + longest + "1\"}");
  lines.push_back("{\"k\":\"" + longest + "2\"}");
  for (int i = 0; i < 200; ++i) lines.push_back("{\"k\":\"" + std::to_string(i % 20) + "\"}");
  (void)pipeline.run(lines);
  EXPECT_THAT(pipeline.metrics(), HasSubstr("bounded{k=\"0\"} 10\nbounded{k=\"1\"} 10\nbounded{k=\"" +
                                            std::string(256, 'x') + "\"} 2\n"));
  ASSERT_EQ(pipeline.report("m").errors.size(), 1U);
  EXPECT_EQ(pipeline.report("m").errors[0],
            std::pair(std::string_view("too_many_series"), std::uint64_t{180}));
}

TEST(LogToMetricTest, ValuesThatLookTheSameAreOneSeries) {
  TestPipeline pipeline({{"m", test_transform("log_to_metric", "app",
                                              {{"name", std::string("m")},
                                               {"labels", Texts{{"k", "message"}}},
                                               {"max_series", std::uint64_t{2}}})}},
                        "m");
  std::vector<std::string> lines;
  for (int i = 0; i < 100; ++i) lines.push_back(std::string(1, static_cast<char>(0x80 + i % 64)));
  (void)pipeline.run(lines);
  (void)pipeline.run({"a", "\xff"});
  EXPECT_THAT(pipeline.metrics(), HasSubstr("m{k=\"a\"} 1\nm{k=\"\xEF\xBF\xBD\"} 101\n"));
}

// Goal: nothing is lost between threads. CI also runs this under TSan.
TEST(LogToMetricTest, CountsExactlyUnderConcurrency) {
  TestPipeline pipeline = measuring({{"labels", Texts{{"k", "k"}}}});
  std::vector<std::string> lines;
  for (int i = 0; i < 100; ++i) lines.push_back("{\"k\":" + std::to_string(i % 10) + "}");
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      const TestBatch batch(lines);
      for (int i = 0; i < 200; ++i) {
        const auto run = pipeline.pipeline().take_run();
        run->run(batch.ref(), false);
        run->run_in_order();
      }
    });
  }
  for (int i = 0; i < 20; ++i) (void)pipeline.metrics();
  threads.clear();
  for (int k = 0; k < 10; ++k)
    EXPECT_THAT(pipeline.metrics(), HasSubstr("m{k=\"" + std::to_string(k) + "\"} 8000\n"));
}

}  // namespace
}  // namespace logflume
