#include "buffer/buffer_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace logflume {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(DonePositions, KeepsRangesThatAreDoneOutOfOrder) {
  DonePositions done(100);
  done.mark(120, 130);
  done.mark(140, 150);
  EXPECT_EQ(done.low(), 100U);
  EXPECT_THAT(done.ranges(), ElementsAre(Pair(120U, 130U), Pair(140U, 150U)));
  EXPECT_EQ(done.high(), 150U);
  EXPECT_TRUE(done.contains(99));
  EXPECT_FALSE(done.contains(100));
  EXPECT_TRUE(done.contains(120));
  EXPECT_FALSE(done.contains(130));
  done.mark(130, 140);
  EXPECT_THAT(done.ranges(), ElementsAre(Pair(120U, 150U)));
  done.mark(100, 125);
  EXPECT_EQ(done.low(), 150U);
  EXPECT_TRUE(done.ranges().empty());
}

// Goal: the same as a plain set of positions, whatever comes in whatever order.
TEST(DonePositions, IsLikeASet) {
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    DonePositions done;
    std::set<std::uint64_t> model;
    for (int i = 0; i < 30; ++i) {
      const std::uint64_t begin = random() % 60;
      const std::uint64_t end = begin + random() % 12;
      done.mark(begin, end);
      for (std::uint64_t at = begin; at < end; ++at) model.insert(at);
      std::uint64_t low = 0;
      while (model.contains(low)) ++low;
      ASSERT_EQ(done.low(), low);
      for (std::uint64_t at = 0; at < 80; ++at) ASSERT_EQ(done.contains(at), model.contains(at)) << at;
      std::uint64_t last = done.low();
      std::set<std::uint64_t> missing;
      for (const auto& [from, to] : done.missing(begin, 70)) {
        for (std::uint64_t at = from; at < to; ++at) missing.insert(at);
      }
      for (std::uint64_t at = 0; at < 80; ++at) {
        ASSERT_EQ(missing.contains(at), at >= begin && at < 70 && !model.contains(at)) << at;
      }
      for (const auto& [from, to] : done.ranges()) {
        ASSERT_GT(from, last);
        ASSERT_GT(to, from);
        last = to;
      }
    }
  }
}

TEST(BufferState, IsReadBackAsItWasWritten) {
  BufferState state{DonePositions(4096), 81920, 90000, 17, 1234, 3};
  EXPECT_EQ(state.encode(), "2 4096 81920 90000 17 1234 3");
  state.done.mark(5000, 5008);
  state.done.mark(6000, 7000);
  EXPECT_EQ(state.encode(), "2 4096 81920 90000 17 1234 3 5000-5008 6000-7000");
  const auto back = BufferState::decode(state.encode());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->done.low(), 4096U);
  EXPECT_EQ(back->done.ranges(), state.done.ranges());
  EXPECT_EQ(back->durable_to, 81920U);
  EXPECT_EQ(back->reserved_to, 90000U);
  EXPECT_EQ(back->events, 17U);
  EXPECT_EQ(back->bytes, 1234U);
  EXPECT_EQ(back->lost_events, 3U);
}

TEST(BufferState, IsReadAsItWasBeforePositionsWereReserved) {
  const auto state = BufferState::decode("1 4096 81920 17 1234 5000-5008");
  ASSERT_TRUE(state);
  EXPECT_EQ(state->encode(), "2 4096 81920 81920 17 1234 0 5000-5008");
}

TEST(BufferState, IsNotReadFromAnythingElse) {
  for (const char* text : {"", "1", "2 0 0 0 0", "2 0 0 0 0 0", "3 0 0 0 0 0 0", "1 0 0 0", "1 a 0 0 0",
                           "1 0 0 0 0 5", "1 0 0 0 0 5-", "1 0 0 0 0 5-5", "1 0 0 0 0 9-5", "1 0 0 0 0 x-y",
                           "1 99999999999999999999999 0 0 0", "10 0 0 0 0"}) {
    EXPECT_FALSE(BufferState::decode(text)) << text;
  }
}

}  // namespace
}  // namespace logflume
