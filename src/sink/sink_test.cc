#include "sink/sink.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "sink/blackhole_sink.h"
#include "sink/sink_test_fixture.h"

namespace logflume {
namespace {

TEST(InboxTest, TakesFromItsSourcesInTurn) {
  SinkHarness harness;
  Inbox inbox;
  Lanes& a = inbox.open("a");
  Lanes& b = inbox.open("b");
  EXPECT_TRUE(inbox.empty());
  for (int i = 0; i < 2; ++i) {
    a.push(harness.make_delivery("a\n", 1), false);
    b.push(harness.make_delivery("b\n", 2), false);
  }
  std::string order;
  Delivery delivery;
  while (inbox.try_pop(delivery)) order += delivery.batch->text().front();
  EXPECT_EQ(order, "abab");
  EXPECT_TRUE(inbox.empty());
}

TEST(InboxTest, LiveLinesPassByTheBacklogOfAllSources) {
  SinkHarness harness;
  Inbox inbox;
  Lanes& a = inbox.open("a");
  Lanes& b = inbox.open("b");
  for (int i = 0; i < 3; ++i) a.push(harness.make_delivery("b\n", 1), false);
  b.push(harness.make_delivery("l\n", 2), true);
  a.push(harness.make_delivery("l\n", 3), true);
  std::string order;
  Delivery delivery;
  while (inbox.try_pop(delivery)) order += delivery.batch->text().front();
  EXPECT_EQ(order, "llbbb");
}

TEST(InboxTest, LanesOfASourceThatEndedGoWhenTheyAreEmpty) {
  SinkHarness harness;
  Inbox inbox;
  Lanes& a = inbox.open("a");
  inbox.open("b");
  a.push(harness.make_delivery("a\n", 1), false);
  inbox.close("a");
  inbox.close("b");
  EXPECT_EQ(inbox.capacity(), Lanes::capacity());
  // One that comes under the name goes on with what is there, so that the order within a file stays.
  EXPECT_EQ(&inbox.open("a"), &a);
  inbox.close("a");
  Delivery delivery;
  EXPECT_TRUE(inbox.try_pop(delivery));
  EXPECT_FALSE(inbox.try_pop(delivery));
  EXPECT_EQ(inbox.capacity(), 0u);
  inbox.rename("a", "c");
  EXPECT_TRUE(inbox.empty());
}

// Goal: each file's deliveries come in their order, whichever lane they take. Method: a producer that chooses
// the lane at random, as far as the rule allows, and a consumer on another thread; CI runs it under TSan too.
TEST(InboxTest, KeepsTheOrderOfEachFileAcrossTheLanes) {
  constexpr std::uint64_t kDeliveries = 20'000;
  constexpr std::uint64_t kFiles = 3;
  SinkHarness harness;
  Inbox inbox;
  Lanes& lanes = inbox.open("a");
  std::vector<CursorRef> cursors;
  for (std::uint64_t id = 0; id < kFiles; ++id)
    cursors.emplace_back(new Cursor(harness.ledger, id, 0, Seam{}));
  std::vector<Delivery> deliveries;
  for (std::uint64_t i = 0; i < kDeliveries; ++i) {
    auto* batch = new Batch;
    batch->owed = {i / kFiles, i / kFiles + 1};
    deliveries.push_back({BatchRef(batch), cursors[i % kFiles]});
  }
  std::thread producer([&] {
    std::uint32_t random = 1;
    for (Delivery& delivery : deliveries) {
      random = random * 1'664'525 + 1'013'904'223;
      const bool live = (random >> 16) % 2 == 0 && Lanes::may_go_live(*delivery.cursor);
      while (!lanes.has_room(live)) std::this_thread::yield();
      lanes.push(std::move(delivery), live);
    }
  });
  std::array<std::uint64_t, kFiles> reached{};
  bool in_order = true;
  for (std::uint64_t taken = 0; taken < kDeliveries;) {
    Delivery delivery;
    if (!inbox.try_pop(delivery)) continue;
    std::uint64_t& end = reached[delivery.cursor->file_id()];
    in_order = in_order && delivery.batch->owed.begin == end;
    end = delivery.batch->owed.end;
    ++taken;
  }
  producer.join();
  EXPECT_TRUE(in_order);
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
  harness.outcome.discarded("test", delivery, delivery.batch->range_of(1, 2), 1);
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
  // What the audit adds up.
  EXPECT_EQ(harness.committed_cursors.at(1).delivered_bytes, 4u);
  EXPECT_EQ(harness.committed_cursors.at(1).delivered_events, 1u);
  ASSERT_EQ(harness.committed_ranges.size(), 1u);
  const RangeRecord& range = harness.committed_ranges[0];
  EXPECT_EQ(range.begin, 4u);
  EXPECT_EQ(range.end, 7u);
  EXPECT_EQ(range.reason, "test");
  EXPECT_EQ(range.events, 1u);
}

TEST(OutcomeTest, CountsWhatWasDeliveredTogether) {
  SinkHarness harness;
  harness.outcome.sent(5, 1000);
  harness.outcome.sent(200, 5000);
  harness.outcome.sent(0, 0);  // a delivery without events is no batch
  const std::string page = harness.registry.text();
  for (const char* line : {"logflume_batch_events_bucket{component=\"out\",le=\"10\"} 1\n",
                           "logflume_batch_events_sum{component=\"out\"} 205\n",
                           "logflume_batch_events_count{component=\"out\"} 2\n",
                           "logflume_batch_bytes_bucket{component=\"out\",le=\"1024\"} 1\n",
                           "logflume_batch_bytes_count{component=\"out\"} 2\n"}) {
    EXPECT_NE(page.find(line), std::string::npos) << line << page;
  }
}

TEST(OutcomeTest, WhatIsReadAgainAfterAReloadIsCountedOnce) {
  SinkHarness harness;
  const auto& metrics = harness.metrics;
  Gauge& pending = harness.registry.gauge("logflume_component_pending_events", "", {{"component", "out"}});
  harness.outcome.taken(harness.make_delivery("1\n2\n3\n"));
  harness.outcome.sent(1, 2);
  EXPECT_EQ(pending.value(), 2);

  Outcome next(harness.ledger, harness.metrics);  // the sink that comes under the same name
  EXPECT_EQ(pending.value(), 2);
  Delivery again = harness.make_delivery("2\n3\n4\n");
  harness.ledger.charge(again.batch->bytes);
  next.taken(again);
  EXPECT_EQ(metrics.received_events.value(), 4u);
  EXPECT_EQ(metrics.received_bytes.value(), 6u);
  EXPECT_EQ(pending.value(), 3);
  next.sent(2, 4);
  next.discarded("test", again, again.batch->range_of(2, 3), 1);
  next.finish(std::move(again));
  EXPECT_EQ(pending.value(), 0);
  EXPECT_EQ(metrics.received_events.value(), metrics.sent_events.value() + harness.discarded("test"));
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
