// Who is fed, who waits, and who is told when room returns.
#include "source/feeder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "event/memory_budget.h"

namespace logflume {
namespace {

constexpr std::size_t kSinkBytes = 1 << 20;

class FeederTest : public testing::Test {
 protected:
  FeederTest() {
    for (Sink* sink : {&first_, &second_}) {
      context_.outlets.push_back({sink->ledger.sink(), &sink->ledger, &sink->lanes, &loop_.parker(), {}});
    }
    feeder_.open();
  }

  // A file of which each sink was fed up to its position.
  TailedFile file(std::uint64_t first_position, std::uint64_t second_position) {
    TailedFile file;
    file.content = std::make_shared<LogContent>();
    file.content->id = ++last_id_;
    file.content->cursors = {CursorRef(new Cursor(first_.ledger, last_id_, first_position, {})),
                             CursorRef(new Cursor(second_.ledger, last_id_, second_position, {}))};
    file.behind = first_position != second_position;
    return file;
  }

  struct Sink {
    explicit Sink(std::string name) : ledger(std::move(name), kSinkBytes, {}) {}
    // In flight to it are `bytes` more, or fewer.
    void take(std::size_t bytes) { ledger.charge(bytes); }
    void done(std::size_t bytes) {
      auto* batch = new Batch;
      const BatchRef owned(batch);
      batch->overhead_bytes = static_cast<std::uint32_t>(bytes);
      const Delivery delivery{owned, CursorRef(new Cursor(ledger, 99, 0, {}))};
      ledger.acknowledge({&delivery, 1});
    }
    SinkLedger ledger;
    Lanes lanes;
  };

  MemoryBudget budget_{64 << 20};
  SlabPool slabs_{budget_};
  MetricRegistry registry_;
  ComponentMetrics metrics_{registry_, "app"};
  HealthBoard board_;
  HealthEntry health_{board_, "app", "source", "test"};
  Log log_{LogLevel::kOff};
  EventLoop loop_{"test"};
  TokenBucket global_rate_{UINT64_MAX};
  CheckpointContent checkpoint_;
  Sink first_{"first"};
  Sink second_{"second"};
  SourceContext context_{.name = "app",
                         .outlets = {},
                         .metrics = metrics_,
                         .health = health_,
                         .log = log_,
                         .loop = loop_,
                         .slabs = slabs_,
                         .files = slabs_.budget(),
                         .files_changed = [] {},
                         .global_rate = global_rate_,
                         .next_file_id = {},
                         .mark_dirty = [] {},
                         .checkpoint = checkpoint_};
  FileRecords records_{[] {}};
  Feeder feeder_{context_, records_, false};
  TimePoint now_ = steady_now();
  std::uint64_t last_id_ = 0;
};

TEST_F(FeederTest, SinksAtOnePositionShareARead) {
  const TailedFile app = file(7, 7);
  Feeder::Groups groups;
  EXPECT_FALSE(feeder_.plan(app, now_, groups));
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_THAT(groups[0].members, testing::ElementsAre(0, 1));
}

TEST_F(FeederTest, ASinkWithoutRoomIsWaitedForAMomentAndThenLeft) {
  TailedFile app = file(7, 7);
  app.behind = true;
  second_.take(kSinkBytes);
  Feeder::Groups groups;
  EXPECT_TRUE(feeder_.plan(app, now_, groups));
  EXPECT_TRUE(groups.empty());
  EXPECT_EQ(feeder_.retry_at(now_), now_ + Feeder::kGrace);

  EXPECT_TRUE(feeder_.plan(app, now_ + Feeder::kGrace, groups));
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_THAT(groups[0].members, testing::ElementsAre(0));
}

// The room was seen while another file was looked at, and those that wait for it were never told: a sink that
// had hung stayed behind for as long as it was not full again.
TEST_F(FeederTest, RoomThatOneFileFindsIsToldToThoseThatWait) {
  TailedFile waits = file(7, 7);
  waits.behind = true;
  first_.take(kSinkBytes);
  second_.take(kSinkBytes);
  Feeder::Groups groups;
  EXPECT_TRUE(feeder_.plan(waits, now_, groups));
  EXPECT_FALSE(feeder_.room_returned());
  EXPECT_FALSE(feeder_.take_room_returned(now_));

  second_.done(kSinkBytes);
  TailedFile other = file(7, 7);
  other.behind = true;
  feeder_.plan(other, now_ + Feeder::kGrace, groups);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_THAT(groups[0].members, testing::ElementsAre(1));
  EXPECT_TRUE(feeder_.room_returned());
  EXPECT_TRUE(feeder_.take_room_returned(now_ + Feeder::kGrace));
  EXPECT_FALSE(feeder_.take_room_returned(now_ + Feeder::kGrace));  // told once
}

// A sink that has no room for a backlog has some for what was just written, and that is not to wait for it.
TEST_F(FeederTest, ALiveLineDoesNotWaitForRoomForABacklog) {
  TailedFile behind = file(7, 7);
  behind.behind = true;
  first_.take(kSinkBytes);
  Feeder::Groups groups;
  EXPECT_TRUE(feeder_.plan(behind, now_, groups));
  EXPECT_TRUE(groups.empty());

  TailedFile live = file(30, 20);
  live.behind = false;
  EXPECT_FALSE(feeder_.plan(live, now_, groups));
  ASSERT_EQ(groups.size(), 1u + 1u);
  EXPECT_EQ(groups[0].position, 20u);
  EXPECT_THAT(groups[0].members, testing::ElementsAre(1));
  EXPECT_EQ(groups[1].position, 30u);
  EXPECT_THAT(groups[1].members, testing::ElementsAre(0));
}

}  // namespace
}  // namespace logflume
