#include "checkpoint/cursor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "checkpoint/sink_ledger.h"

namespace logflume {

// Reaches what only a ledger may call.
class CursorPeer {
 public:
  static bool mark(Cursor& cursor, FileRange range, const Seam& seam) {
    return cursor.mark(range, seam, range.bytes(), 1);
  }
  static const CursorAccount& account(const Cursor& cursor) { return cursor.account_; }
  static void discard(Cursor& cursor, Discard discard) { cursor.discard(std::move(discard)); }
  static std::vector<RangeRecord> take_discards(Cursor& cursor) {
    std::vector<RangeRecord> ranges;
    cursor.take_discards("bus", ranges);
    return ranges;
  }
  static std::string seam(const Cursor& cursor) { return std::string(cursor.acked_seam_.view()); }
  static std::size_t waiting(const Cursor& cursor) {
    return cursor.unusual_ ? cursor.unusual_->out_of_order.size() : 0;
  }
};

namespace {

Seam seam_of(const std::string& text) { return Seam::before(text.data() + text.size(), text.size()); }
// A seam that tells which offset it belongs to.
Seam seam_at(std::uint64_t offset) { return seam_of("@" + std::to_string(offset)); }
bool mark(Cursor& cursor, std::uint64_t begin, std::uint64_t end) {
  return CursorPeer::mark(cursor, {begin, end}, seam_at(end));
}

class CursorTest : public testing::Test {
 protected:
  SinkLedger ledger_{"bus", 1000, {}};
  Cursor cursor_{ledger_, 7, 100, seam_at(100)};
};

TEST_F(CursorTest, MovesWithAcknowledgementsInOrder) {
  EXPECT_TRUE(mark(cursor_, 100, 150));
  EXPECT_EQ(cursor_.acked_offset(), 150u);
  EXPECT_TRUE(mark(cursor_, 150, 151));
  EXPECT_EQ(cursor_.acked_offset(), 151u);
  EXPECT_EQ(CursorPeer::seam(cursor_), "@151");
}

TEST_F(CursorTest, WaitsForAGapAndThenJumpsOverIt) {
  EXPECT_FALSE(mark(cursor_, 200, 300));
  EXPECT_FALSE(mark(cursor_, 350, 400));
  EXPECT_EQ(cursor_.acked_offset(), 100u);
  EXPECT_EQ(CursorPeer::seam(cursor_), "@100");
  EXPECT_TRUE(mark(cursor_, 100, 200));
  EXPECT_EQ(cursor_.acked_offset(), 300u);
  EXPECT_EQ(CursorPeer::seam(cursor_), "@300");
  EXPECT_TRUE(mark(cursor_, 300, 350));
  EXPECT_EQ(cursor_.acked_offset(), 400u);
  EXPECT_EQ(CursorPeer::seam(cursor_), "@400");
  EXPECT_EQ(CursorPeer::waiting(cursor_), 0u);
}

TEST_F(CursorTest, NeighboursThatWaitBecomeOne) {
  for (std::uint64_t begin = 200; begin < 1200; begin += 10) EXPECT_FALSE(mark(cursor_, begin, begin + 10));
  EXPECT_EQ(CursorPeer::waiting(cursor_), 1u);
  for (std::uint64_t begin = 2000; begin > 1300; begin -= 10) EXPECT_FALSE(mark(cursor_, begin - 10, begin));
  EXPECT_EQ(CursorPeer::waiting(cursor_), 2u);
  EXPECT_TRUE(mark(cursor_, 100, 200));
  EXPECT_EQ(cursor_.acked_offset(), 1200u);
  EXPECT_TRUE(mark(cursor_, 1200, 1300));
  EXPECT_EQ(cursor_.acked_offset(), 2000u);
  EXPECT_EQ(CursorPeer::seam(cursor_), "@2000");
}

TEST_F(CursorTest, IgnoresWhatIsAcknowledgedAlreadyAndWhatIsEmpty) {
  EXPECT_FALSE(mark(cursor_, 0, 50));
  EXPECT_FALSE(mark(cursor_, 50, 100));
  EXPECT_FALSE(mark(cursor_, 100, 100));
  EXPECT_FALSE(mark(cursor_, 500, 500));
  EXPECT_EQ(cursor_.acked_offset(), 100u);
  EXPECT_EQ(CursorPeer::waiting(cursor_), 0u);
}

// Goal: the low-watermark is what a naive model says, whatever the order.
// Method: the ranges of a file, shuffled within a random window, against a bit for each byte.
TEST_F(CursorTest, AgreesWithANaiveModelInRandomOrders) {
  std::mt19937 random(20260102);
  for (int round = 0; round < 200; ++round) {
    const std::uint64_t start = random() % 1000;
    Cursor cursor(ledger_, 1, start, seam_at(start));
    std::vector<FileRange> ranges;
    std::uint64_t end = start;
    for (std::size_t count = 1 + random() % 60; count > 0; --count) {
      const std::uint64_t bytes = 1 + random() % 40;
      ranges.push_back({end, end + bytes});
      end += bytes;
    }
    const auto window = static_cast<std::ptrdiff_t>(1 + random() % ranges.size());
    for (auto from = ranges.begin(); from != ranges.end();) {
      const auto to = from + std::min<std::ptrdiff_t>(window, ranges.end() - from);
      std::shuffle(from, to, random);
      from = to;
    }
    std::vector<bool> done(end - start, false);
    for (const FileRange& range : ranges) {
      const std::uint64_t before = cursor.acked_offset();
      const bool moved = mark(cursor, range.begin, range.end);
      for (std::uint64_t byte = range.begin; byte < range.end; ++byte) done[byte - start] = true;
      const auto gap = std::find(done.begin(), done.end(), false);
      const std::uint64_t expected = start + static_cast<std::uint64_t>(gap - done.begin());
      ASSERT_EQ(cursor.acked_offset(), expected);
      ASSERT_EQ(moved, expected != before);
      ASSERT_EQ(CursorPeer::seam(cursor), "@" + std::to_string(expected));
    }
    ASSERT_EQ(CursorPeer::waiting(cursor), 0u);
  }
}

TEST_F(CursorTest, CountsWhatTheLowWatermarkHasPassed) {
  mark(cursor_, 150, 170);
  mark(cursor_, 180, 200);
  mark(cursor_, 170, 180);
  EXPECT_EQ(CursorPeer::account(cursor_).delivered_bytes, 0u);
  mark(cursor_, 100, 150);
  EXPECT_EQ(CursorPeer::account(cursor_).begin, 100u);
  EXPECT_EQ(CursorPeer::account(cursor_).delivered_bytes, 100u);
  EXPECT_EQ(CursorPeer::account(cursor_).delivered_events, 4u);
}

// After a crash the delivery is made again, and may succeed.
TEST_F(CursorTest, ADiscardCountsOnceTheLowWatermarkHasPassedItsDelivery) {
  CursorPeer::discard(cursor_, {{150, 170}, {150, 155}, "status_400", 1});
  CursorPeer::discard(cursor_, {{150, 170}, {155, 160}, "status_400", 2});
  CursorPeer::discard(cursor_, {{150, 170}, {160, 165}, "too_large", 1});
  mark(cursor_, 150, 170);
  EXPECT_TRUE(CursorPeer::take_discards(cursor_).empty());
  mark(cursor_, 100, 150);
  const std::vector<RangeRecord> ranges = CursorPeer::take_discards(cursor_);
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[0].begin, 150u);
  EXPECT_EQ(ranges[0].end, 160u);
  EXPECT_EQ(ranges[0].events, 3u);
  EXPECT_EQ(ranges[1].reason, "too_large");
  EXPECT_EQ(CursorPeer::account(cursor_).delivered_bytes, 70u - 15u);
  EXPECT_TRUE(CursorPeer::take_discards(cursor_).empty());
}

}  // namespace
}  // namespace logflume
