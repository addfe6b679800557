#include "sink/kafka_held_topics.h"

#include <gtest/gtest.h>

#include "sink/sink_test_fixture.h"

namespace logflume {
namespace {

class KafkaHeldTopicsTest : public testing::Test {
 protected:
  // One event for the topic, handed over.
  void hand_over(const std::string& topic) {
    auto shipment = std::make_shared<KafkaShipment>();
    shipment->topic = topic;
    shipment->delivery = harness_.make_delivery("x\n");
    shipment->events.build(*shipment->delivery.batch);
    shipment->unfinished = 1;
    window_.take(std::move(shipment));
    ASSERT_TRUE(window_.cut(nullptr));
    const auto run = window_.next_run();
    ASSERT_TRUE(run);
    window_.handed_over(*run, run->end);
  }
  void report(std::uint32_t chunk) { window_.reported(*window_.find(chunk)); }

  SinkHarness harness_;
  KafkaWindow window_{harness_.budget, 1024};
  KafkaHeldTopics held_{window_, RetryConfig{1ms, 1ms}};
  TimePoint now_ = TimePoint{} + 3600s;
};

TEST_F(KafkaHeldTopicsTest, AProbeHoldsItsTopicUntilItIsReported) {
  hand_over("a");
  held_.probe("a");
  EXPECT_FALSE(held_.resume(now_).any);
  report(0);
  EXPECT_TRUE(held_.resume(now_).any);
  EXPECT_FALSE(window_.is_held("a"));
  EXPECT_FALSE(window_.next_run()) << "it is not handed over again";
}

TEST_F(KafkaHeldTopicsTest, ATopicInTroubleWaitsForItsTimeAndItsReports) {
  hand_over("a");
  hand_over("a");
  EXPECT_TRUE(held_.trouble("a", "why", now_));
  EXPECT_FALSE(held_.trouble("a", "again", now_)) << "of the same attempt";
  EXPECT_EQ(held_.why(), "why");
  EXPECT_EQ(held_.next_retry(), now_ + 1s);
  report(0);
  EXPECT_FALSE(held_.resume(now_).any);
  EXPECT_FALSE(held_.resume(now_ + 1s).any) << "one is still in flight";
  EXPECT_FALSE(held_.answered("a")) << "what was sent before";
  report(1);
  EXPECT_EQ(held_.resume(now_ + 1s).events_again, 2u);
  EXPECT_EQ(held_.next_retry(), kNever);

  // The next attempt: first it fails again, then it does not.
  EXPECT_TRUE(held_.trouble("a", "again", now_ + 2s));
  EXPECT_TRUE(held_.resume(now_ + 3s).any);
  EXPECT_TRUE(held_.in_trouble());
  EXPECT_TRUE(held_.answered("a"));
  EXPECT_FALSE(held_.in_trouble());
}

TEST_F(KafkaHeldTopicsTest, TroubleTakesAProbeOver) {
  hand_over("a");
  held_.probe("a");
  report(0);
  EXPECT_TRUE(held_.trouble("a", "why", now_));
  EXPECT_FALSE(held_.resume(now_).any);
  EXPECT_TRUE(window_.is_held("a"));
  EXPECT_EQ(held_.resume(now_ + 1s).events_again, 1u);
}

}  // namespace
}  // namespace logflume
