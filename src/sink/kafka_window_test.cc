#include "sink/kafka_window.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sink/sink_test_fixture.h"

namespace logflume {
namespace {

class KafkaWindowTest : public testing::Test {
 protected:
  static constexpr std::size_t kEncodedMax = 1024 * 1024;

  std::shared_ptr<KafkaShipment> ship(std::string_view text, std::string topic = "t") {
    auto shipment = std::make_shared<KafkaShipment>();
    shipment->topic = std::move(topic);
    shipment->delivery = harness.make_delivery(text);
    shipment->events.build(*shipment->delivery.batch);
    shipment->unfinished = static_cast<std::uint32_t>(shipment->events.size());
    return shipment;
  }

  // Hands everything over that there is; the payloads, in order.
  std::vector<std::string> hand_over(KafkaWindow& window, JsonEncoder* json = nullptr) {
    std::vector<std::string> payloads;
    for (;;) {
      if (const auto run = window.next_run()) {
        for (std::uint32_t i = run->begin.index; i < run->end; ++i)
          payloads.emplace_back(run->chunk->payload(i));
        window.handed_over(*run, run->end);
      } else if (!window.has_pending() || !window.cut(json)) {
        return payloads;
      }
    }
  }

  bool done(KafkaWindow& window, std::uint32_t chunk, std::uint32_t index) {
    KafkaChunk* found = window.find(chunk);
    return found != nullptr && window.mark_done(*found, index);
  }

  SinkHarness harness;
};

TEST_F(KafkaWindowTest, HandsOverEventsInOrderAndFinishesWithTheLastOne) {
  KafkaWindow window(harness.budget, kEncodedMax);
  window.take(ship("a\nb\n\nd\n"));
  EXPECT_EQ(hand_over(window), (std::vector<std::string>{"a", "b", "", "d"}));
  std::vector<Delivery> finished;
  for (const std::uint32_t index : {3u, 0u, 1u}) EXPECT_TRUE(done(window, 0, index));
  window.collect(finished);
  EXPECT_TRUE(finished.empty());
  EXPECT_TRUE(done(window, 0, 2));
  window.collect(finished);
  ASSERT_EQ(finished.size(), 1u);
  EXPECT_TRUE(window.empty());
}

TEST_F(KafkaWindowTest, CountsAnEventOnce) {
  KafkaWindow window(harness.budget, kEncodedMax);
  window.take(ship("a\nb\n"));
  hand_over(window);
  EXPECT_TRUE(done(window, 0, 1));
  EXPECT_FALSE(done(window, 0, 1));
  EXPECT_FALSE(done(window, 0, 2));  // no such event
  EXPECT_FALSE(done(window, 7, 0));  // no such chunk
}

TEST_F(KafkaWindowTest, RewindHandsOverWhatIsNotDoneInOrder) {
  KafkaWindow window(harness.budget, kEncodedMax);
  window.take(ship("a\nb\nc\nd\n"));
  hand_over(window);
  window.take(ship("e\nf\n"));
  hand_over(window);
  done(window, 0, 1);
  done(window, 1, 0);
  EXPECT_EQ(window.rewind(), 4u);
  EXPECT_EQ(hand_over(window), (std::vector<std::string>{"a", "c", "d", "f"}));
  EXPECT_EQ(hand_over(window), std::vector<std::string>{});
  window.rewind();
  EXPECT_EQ(window.rewind(), 0u) << "nothing was handed over since";
}

TEST_F(KafkaWindowTest, ADeliveryIsFinishedThoughOneBeforeItIsNot) {
  KafkaWindow window(harness.budget, kEncodedMax);
  for (const char* text : {"a\n", "b\nc\n", "", "d\n"}) {
    window.take(ship(text));
    hand_over(window);
  }
  std::vector<Delivery> finished;
  done(window, 1, 0);
  window.collect(finished);
  ASSERT_EQ(finished.size(), 1u) << "the empty one";
  done(window, 1, 1);
  window.collect(finished);
  ASSERT_EQ(finished.size(), 2u);
  EXPECT_EQ(finished[1].batch->text(), "b\nc\n");
  EXPECT_EQ(window.find(1), nullptr);
  EXPECT_EQ(window.rewind(), 2u);
  EXPECT_EQ(hand_over(window), (std::vector<std::string>{"a", "d"}));
  done(window, 3, 0);
  done(window, 0, 0);
  window.collect(finished);
  EXPECT_EQ(finished.size(), 4u);
  EXPECT_TRUE(window.empty());
}

TEST_F(KafkaWindowTest, AHeldTopicIsPassedByAndComesBackInOrder) {
  KafkaWindow window(harness.budget, kEncodedMax);
  const auto take = [&](const char* text, const char* topic) {
    window.take(ship(text, topic));
    return hand_over(window);
  };
  take("a1\na2\n", "a");
  take("b1\n", "b");
  window.hold("a");
  EXPECT_FALSE(window.is_settled("a"));
  for (int event = 0; event < 2; ++event) window.reported(*window.find(0));
  EXPECT_TRUE(window.is_settled("a"));
  done(window, 0, 0);
  EXPECT_TRUE(take("a3\n", "a").empty());
  EXPECT_EQ(take("b2\n", "b"), std::vector<std::string>{"b2"});

  EXPECT_EQ(window.resume("a", true), 1u);
  EXPECT_EQ(hand_over(window), (std::vector<std::string>{"a2", "a3"}));
  EXPECT_FALSE(window.is_held("a"));

  window.hold("a");
  EXPECT_EQ(window.resume("a", false), 0u);
  EXPECT_TRUE(hand_over(window).empty()) << "what was handed over stays so";

  window.hold("a");
  done(window, 0, 1);
  std::vector<Delivery> finished;
  window.collect(finished);
  EXPECT_EQ(finished.size(), 1u);
  EXPECT_EQ(window.rewind(), 3u);
  window.resume("a", true);
  EXPECT_EQ(hand_over(window), (std::vector<std::string>{"b1", "a3", "b2"}));
}

TEST_F(KafkaWindowTest, AHeldTopicWithoutRoomLeavesSomeToTheOthers) {
  KafkaWindow window(harness.budget, 100);
  JsonEncoder json("host", {});
  window.take(ship("a1\n", "a"));
  EXPECT_EQ(hand_over(window, &json).size(), 1u);
  window.hold("a");
  window.take(ship("b1\n", "b"));
  EXPECT_EQ(hand_over(window, &json).size(), 1u);
  done(window, 1, 0);
  std::vector<Delivery> finished;
  window.collect(finished);
  window.take(ship("a2\n", "a"));
  EXPECT_TRUE(hand_over(window, &json).empty());
  EXPECT_TRUE(window.has_pending()) << "of the held one no more is taken";
}

TEST_F(KafkaWindowTest, FinishesAnEmptyDelivery) {
  KafkaWindow window(harness.budget, kEncodedMax);
  window.take(ship(""));
  EXPECT_TRUE(hand_over(window).empty());
  std::vector<Delivery> finished;
  window.collect(finished);
  EXPECT_EQ(finished.size(), 1u);
  EXPECT_TRUE(window.empty());
}

TEST_F(KafkaWindowTest, BoundsEncodedTextAndGivesItsMemoryBack) {
  const std::size_t line_bytes = 1000;
  std::string text;
  for (int i = 0; i < 4000; ++i) text.append(line_bytes, 'x').push_back('\n');
  KafkaWindow window(harness.budget, kEncodedMax);
  JsonEncoder json("host", {});
  window.take(ship(text));
  const std::size_t before = harness.budget.used_bytes();
  const std::size_t first = hand_over(window, &json).size();
  EXPECT_GT(first, 0u);
  EXPECT_LT(first * line_bytes, kEncodedMax);
  EXPECT_TRUE(window.has_pending());

  std::size_t delivered = 0;
  std::vector<Delivery> finished;
  for (std::uint32_t chunk = 0; finished.empty(); ++chunk) {
    KafkaChunk* current = window.find(chunk);
    ASSERT_NE(current, nullptr);
    for (std::uint32_t i = 0; i < current->size(); ++i) delivered += done(window, chunk, i) ? 1 : 0;
    window.collect(finished);
    hand_over(window, &json);
  }
  EXPECT_EQ(delivered, 4000u);
  EXPECT_TRUE(window.empty());
  EXPECT_EQ(harness.budget.used_bytes(), before);
}

TEST_F(KafkaWindowTest, GoesOnWithoutBudgetOneChunkAtATime) {
  const auto shipment = ship("a\nb\n");
  const auto second = ship("c\n");
  KafkaWindow window(harness.budget, kEncodedMax);
  harness.budget.set_limit(1);
  window.take(shipment);
  EXPECT_TRUE(window.cut(nullptr));
  EXPECT_EQ(hand_over(window).size(), 2u);
  window.take(second);
  EXPECT_FALSE(window.cut(nullptr));
  done(window, 0, 0);
  done(window, 0, 1);
  std::vector<Delivery> finished;
  window.collect(finished);
  EXPECT_EQ(finished.size(), 1u);
  EXPECT_TRUE(window.cut(nullptr));
  EXPECT_EQ(hand_over(window), std::vector<std::string>{"c"});
}

TEST_F(KafkaWindowTest, NamesTheEventsPlaceInItsFile) {
  KafkaWindow window(harness.budget, kEncodedMax);
  harness.make_delivery("12345\n");  // what came before it in the file
  window.take(ship("ab\ncd\n"));
  hand_over(window);
  EXPECT_EQ(window.find(0)->file_range(0).begin, 6u);
  EXPECT_EQ(window.find(0)->file_range(1).begin, 9u);
  EXPECT_EQ(window.find(0)->file_range(1).end, 12u);
}

}  // namespace
}  // namespace logflume
