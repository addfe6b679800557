#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "transform/transform_test_fixture.h"

namespace logflume {
namespace {

// Goal: a parser may make texts of a field that it parses, and what it has read of it stays where it is.
// Method: so many that the memory for them grows while a text is parsed, in the midst of a batch.
TEST(ParseStage, ParsesFieldsOfWhichTextsAreMade) {
  TestPipeline pipeline(
      {{"j", test_transform("parse_json", "app")}, {"n", test_transform("parse_nginx", "j")}}, "n");
  std::vector<std::string> lines;
  for (int i = 0; i < 2000; ++i)
    lines.push_back(R"({"stream":"stdout","message":"10.0.0.1 - a\\x20)" + std::to_string(i) +
                    R"( [10/Oct/2025:13:55:36 +0000] \"GET /\\x22)" + std::to_string(i) +
                    R"( HTTP/1.1\" 200 7 \"-\" \"agent )" + std::to_string(i) + R"(\""})");
  for (int again = 0; again < 2; ++again) {
    const std::vector<TestEvent> events = pipeline.run(lines);
    ASSERT_EQ(events.size(), lines.size());
    for (std::size_t i = 0; i < events.size(); ++i) {
      const std::string number = std::to_string(i);
      const TestEvent expected = {{"stream", "stdout"},
                                  {"remote_addr", "10.0.0.1"},
                                  {"remote_user", "a " + number},
                                  {"time_local", "10/Oct/2025:13:55:36 +0000"},
                                  {"timestamp", "2025-10-10T13:55:36Z"},
                                  {"request", "GET /\"" + number + " HTTP/1.1"},
                                  {"method", "GET"},
                                  {"path", "/\"" + number},
                                  {"protocol", "HTTP/1.1"},
                                  {"status", "200"},
                                  {"body_bytes_sent", "7"},
                                  {"http_referer", "null"},
                                  {"http_user_agent", "agent " + number}};
      ASSERT_EQ(events[i], expected) << i;
    }
  }
}

}  // namespace
}  // namespace logflume
