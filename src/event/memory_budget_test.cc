#include "event/memory_budget.h"

#include <gtest/gtest.h>

#include "event/slab.h"

namespace logflume {
namespace {

TEST(MemoryBudgetTest, RefusesWhatPassesTheLimit) {
  MemoryBudget budget(100);
  EXPECT_TRUE(budget.try_reserve(60));
  EXPECT_FALSE(budget.try_reserve(41));
  EXPECT_EQ(budget.used_bytes(), 60U);
  EXPECT_TRUE(budget.try_reserve(40));
  budget.release(100);
  EXPECT_EQ(budget.used_bytes(), 0U);
}

TEST(MemoryBudgetTest, AShareIsHeldToItsOwnLimitAndToTheWhole) {
  MemoryBudget whole(100);
  MemoryBudget one(50, &whole);
  MemoryBudget two(80, &whole);
  EXPECT_FALSE(one.try_reserve(51));
  EXPECT_TRUE(one.try_reserve(50));
  EXPECT_EQ(whole.used_bytes(), 50U);
  EXPECT_FALSE(two.try_reserve(60));  // its own limit allows it
  EXPECT_EQ(two.used_bytes(), 0U);
  EXPECT_EQ(whole.used_bytes(), 50U);
  EXPECT_TRUE(two.try_reserve(50));
  one.release(50);
  EXPECT_EQ(whole.used_bytes(), 50U);
}

TEST(MemoryBudgetTest, WhatIsKeptForReuseStandsInNobodysWay) {
  MemoryBudget whole(SlabPool::kSlabBytes * 3);
  MemoryBudget share(SlabPool::kSlabBytes * 2, &whole);
  SlabPool slabs(whole);
  {
    const SlabRef first = slabs.try_acquire();
    const SlabRef second = slabs.try_acquire();
    ASSERT_TRUE(first && second);
    EXPECT_FALSE(share.try_reserve(SlabPool::kSlabBytes));  // they are in use
  }
  EXPECT_GT(whole.used_bytes(), 2 * SlabPool::kSlabBytes);
  EXPECT_TRUE(share.try_reserve(SlabPool::kSlabBytes));
  EXPECT_EQ(whole.used_bytes(), SlabPool::kSlabBytes);
}

TEST(MemoryBudgetTest, WhatIsReservedInAnyCaseIsMissedByTheOthers) {
  MemoryBudget whole(100);
  MemoryBudget share(10, &whole);
  share.reserve(95);
  EXPECT_EQ(whole.used_bytes(), 95U);
  EXPECT_FALSE(whole.try_reserve(10));
  EXPECT_FALSE(share.try_reserve(1));
  share.release(95);
  EXPECT_TRUE(whole.try_reserve(100));
}

}  // namespace
}  // namespace logflume
