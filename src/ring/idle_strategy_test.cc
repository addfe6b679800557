#include "ring/idle_strategy.h"

#include <gtest/gtest.h>

namespace logflume {
namespace {

using Action = IdleStrategy::Action;

int passes_until_park(IdleStrategy& idle) {
  int passes = 0;
  while (idle.next() != Action::kPark && passes < 1000) ++passes;
  return passes;
}

TEST(IdleStrategyTest, SpinsThenYieldsThenParks) {
  IdleStrategy idle;
  Action last = Action::kSpin;
  EXPECT_EQ(idle.next(), Action::kSpin);
  for (int i = 0; i < 1000 && last != Action::kPark; ++i) {
    const Action action = idle.next();
    EXPECT_GE(action, last) << "goes only from spin to yield to park";
    last = action;
  }
  EXPECT_EQ(last, Action::kPark);
  EXPECT_EQ(idle.next(), Action::kPark);
}

TEST(IdleStrategyTest, ParksAtOnceAfterLongParks) {
  IdleStrategy idle;
  for (int i = 0; i < 4; ++i) idle.parked(1ms);
  idle.worked();
  EXPECT_EQ(idle.next(), Action::kPark);
}

TEST(IdleStrategyTest, SpinsLongerAfterShortParksButNotWithoutLimit) {
  IdleStrategy idle;
  const int first = passes_until_park(idle);
  for (int i = 0; i < 100; ++i) idle.parked(1us);
  const int later = passes_until_park(idle);
  EXPECT_GT(later, first);
  EXPECT_LT(later, 100);
}

TEST(IdleStrategyTest, SpinsAgainWhenParksGetShort) {
  IdleStrategy idle;
  for (int i = 0; i < 4; ++i) idle.parked(1s);
  idle.parked(1us);
  EXPECT_EQ(idle.next(), Action::kSpin);
}

TEST(IdleStrategyTest, StartsOverAfterWork) {
  IdleStrategy idle;
  const int first = passes_until_park(idle);
  idle.worked();
  EXPECT_EQ(passes_until_park(idle), first);
}

}  // namespace
}  // namespace logflume
