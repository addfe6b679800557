#include "sink/sink.h"

#include <gtest/gtest.h>

#include "sink/blackhole_sink.h"
#include "sink/sink_test_fixture.h"

namespace logflume {
namespace {

TEST(InboxTest, TakesFromItsRingsInTurn) {
  SinkHarness harness;
  Inbox inbox;
  auto& a = inbox.open();
  auto& b = inbox.open();
  EXPECT_TRUE(inbox.empty());
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(a.try_push(harness.make_delivery("a\n", 1)));
    ASSERT_TRUE(b.try_push(harness.make_delivery("b\n", 2)));
  }
  std::string order;
  Delivery delivery;
  while (inbox.try_pop(delivery)) order += delivery.batch->text().front();
  EXPECT_EQ(order, "abab");
  EXPECT_TRUE(inbox.empty());
}

TEST(OutcomeTest, AcknowledgesAtTheFlushWithTheStates) {
  SinkHarness harness;
  Delivery delivery = harness.make_delivery("one\ntwo");
  harness.ledger.charge(delivery.batch->bytes);
  harness.outcome.taken(delivery);
  EXPECT_EQ(harness.metrics.received_events.value(), 2u);
  EXPECT_EQ(harness.metrics.received_bytes.value(), 8u);  // the missing newline counts
  harness.outcome.sent(1, 4);
  harness.outcome.discarded("test", 1);
  harness.outcome.finish(std::move(delivery));
  EXPECT_EQ(harness.acked(), 0u);

  const SinkStateRecord state{"out", "key", "value"};
  harness.outcome.flush({&state, 1});
  EXPECT_EQ(harness.acked(), 7u);
  EXPECT_TRUE(harness.all_acked());
  ASSERT_TRUE(harness.commit());
  EXPECT_EQ(harness.committed_states.at("key").value, "value");
  EXPECT_EQ(harness.committed_offsets.at(1), 7u);
  EXPECT_EQ(harness.metrics.sent_events.value(), 1u);
  EXPECT_EQ(harness.metrics.sent_bytes.value(), 4u);
  EXPECT_EQ(harness.discarded("test"), 1u);
}

TEST(OutcomeTest, LatencyIsWeightedByEvents) {
  SinkHarness harness;
  Delivery delivery = harness.make_delivery("1\n2\n3\n");
  harness.ledger.charge(delivery.batch->bytes);
  harness.outcome.finish(std::move(delivery));
  harness.outcome.flush();
  EXPECT_NE(harness.registry.text().find("logflume_delivery_latency_seconds_count{component=\"out\"} 3\n"),
            std::string::npos);
}

TEST(BlackholeSinkTest, CountsAndAcknowledgesAtOnce) {
  SinkHarness harness;
  const auto sink = make_blackhole_sink({}, harness.context());
  ASSERT_TRUE(sink->open());
  EXPECT_FALSE(sink->has_input());
  EXPECT_EQ(sink->do_work(steady_now()), 0u);
  harness.send("one\ntwo\n");
  harness.send("three", 2);
  EXPECT_TRUE(sink->has_input());
  EXPECT_EQ(sink->do_work(steady_now()), 2u);
  EXPECT_EQ(harness.acked(1), 8u);
  EXPECT_EQ(harness.acked(2), 5u);
  EXPECT_EQ(harness.metrics.received_events.value(), 3u);
  EXPECT_EQ(harness.metrics.sent_events.value(), 3u);
  EXPECT_EQ(harness.metrics.sent_bytes.value(), 14u);
  EXPECT_TRUE(sink->drained());
}

}  // namespace
}  // namespace logflume
