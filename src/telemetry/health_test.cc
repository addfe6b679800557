#include "telemetry/health.h"

#include <gtest/gtest.h>

#include <memory>
#include <regex>
#include <string>
#include <thread>

namespace logflume {
namespace {

TEST(HealthBoardTest, IsAsBadAsItsWorstComponent) {
  HealthBoard board;
  EXPECT_EQ(board.status(), HealthStatus::kOk);
  HealthEntry app(board, "app", "source", "file");
  auto bus = std::make_unique<HealthEntry>(board, "bus", "sink", "kafka");
  app.degraded("inotify limit reached");
  EXPECT_EQ(board.status(), HealthStatus::kDegraded);
  bus->failing("no broker");
  EXPECT_EQ(board.status(), HealthStatus::kFailing);
  bus.reset();
  EXPECT_EQ(board.status(), HealthStatus::kDegraded);
  app.ok();
  EXPECT_EQ(board.status(), HealthStatus::kOk);
  EXPECT_EQ(board.components().at(0).message, "");
}

TEST(HealthBoardTest, SinceChangesWithTheStatusOnly) {
  HealthBoard board;
  HealthEntry app(board, "app", "source", "file");
  app.degraded("a");
  const auto since = board.components().at(0).since_ns;
  EXPECT_GT(since, 0);
  app.degraded("b");
  EXPECT_EQ(board.components().at(0).since_ns, since);
  EXPECT_EQ(board.components().at(0).message, "b");
}

TEST(HealthBoardTest, JsonHasTheFieldsOfTheContract) {
  HealthBoard board;
  HealthEntry bus(board, "bus", "sink", "kafka");
  bus.degraded("said \"no\"\n\xFF");
  const std::regex shape(
      "\\{\"status\":\"degraded\",\"components\":\\[\\{\"name\":\"bus\",\"kind\":\"sink\",\"type\":\"kafka\","
      "\"status\":\"degraded\",\"message\":\"said \\\\\"no\\\\\"\\\\n\xEF\xBF\xBD\","
      "\"since\":\"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z\"\\}\\]\\}\n");
  EXPECT_TRUE(std::regex_match(board.json(), shape)) << board.json();
}

// CI also runs this under TSan.
TEST(HealthBoardTest, ComponentsComeAndGoWhileItIsRead) {
  HealthBoard board;
  std::jthread changing([&] {
    for (int i = 0; i < 2000; ++i) {
      HealthEntry entry(board, "bus", "sink", "http");
      entry.degraded("down");
      entry.ok();
    }
  });
  for (int i = 0; i < 500; ++i) {
    EXPECT_LE(board.components().size(), 1u);
    EXPECT_NE(board.status(), HealthStatus::kFailing);
  }
}

}  // namespace
}  // namespace logflume
