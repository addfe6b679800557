#include "ring/spsc_ring.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "base/intrusive_ptr.h"

namespace logflume {
namespace {

struct Counted : RefCounted<Counted> {};

TEST(SpscRingTest, AnswersFullAndEmpty) {
  SpscRing<int> ring(2);
  EXPECT_EQ(ring.capacity(), 2U);
  EXPECT_TRUE(ring.empty());
  EXPECT_EQ(ring.try_pop(), std::nullopt);
  EXPECT_TRUE(ring.try_push(1));
  EXPECT_TRUE(ring.try_push(2));
  EXPECT_FALSE(ring.try_push(3));
  EXPECT_EQ(ring.size_approx(), 2U);
  EXPECT_EQ(ring.try_pop(), 1);
  EXPECT_FALSE(ring.empty());
  EXPECT_TRUE(ring.try_push(3));
  EXPECT_EQ(ring.try_pop(), 2);
  EXPECT_EQ(ring.try_pop(), 3);
  EXPECT_TRUE(ring.empty());
}

TEST(SpscRingTest, HoldsOneElementWithCapacityOne) {
  SpscRing<int> ring(1);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(ring.try_push(int{i}));
    EXPECT_FALSE(ring.try_push(int{i}));
    EXPECT_EQ(ring.try_pop(), i);
    EXPECT_EQ(ring.try_pop(), std::nullopt);
  }
}

TEST(SpscRingTest, LeavesTheItemUntouchedWhenFull) {
  SpscRing<std::unique_ptr<int>> ring(1);
  ASSERT_TRUE(ring.try_push(std::make_unique<int>(1)));
  auto item = std::make_unique<int>(2);
  EXPECT_FALSE(ring.try_push(std::move(item)));
  ASSERT_NE(item, nullptr);
  EXPECT_EQ(*item, 2);
}

TEST(SpscRingTest, PushesThePrefixOfABatchThatFits) {
  SpscRing<std::unique_ptr<int>> ring(4);
  ASSERT_TRUE(ring.try_push(std::make_unique<int>(0)));
  std::vector<std::unique_ptr<int>> items;
  for (int i = 1; i <= 5; ++i) items.push_back(std::make_unique<int>(i));
  EXPECT_EQ(ring.try_push_batch(items), 3U);
  EXPECT_EQ(items[2], nullptr);
  EXPECT_EQ(*items[3], 4);
  EXPECT_EQ(ring.try_push_batch(items), 0U);

  std::vector<std::unique_ptr<int>> popped(8);
  ASSERT_EQ(ring.try_pop_batch(popped), 4U);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(*popped[i], static_cast<int>(i));
  EXPECT_EQ(popped[4], nullptr);
  EXPECT_EQ(ring.try_pop_batch(popped), 0U);
}

TEST(SpscRingTest, KeepsNothingAliveThatWasPopped) {
  const IntrusivePtr<Counted> object(new Counted);
  SpscRing<IntrusivePtr<Counted>> ring(4);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ring.try_push(IntrusivePtr<Counted>(object)));
  EXPECT_EQ(object->use_count(), 4U);
  ring.try_pop().reset();
  EXPECT_EQ(object->use_count(), 3U);
  std::vector<IntrusivePtr<Counted>> to(4);
  ASSERT_EQ(ring.try_pop_batch(to), 2U);
  to.clear();
  EXPECT_EQ(object->use_count(), 1U);
}

TEST(SpscRingTest, ReleasesWhatItStillHoldsWhenDestroyed) {
  const IntrusivePtr<Counted> object(new Counted);
  {
    SpscRing<IntrusivePtr<Counted>> ring(2);
    ASSERT_TRUE(ring.try_push(IntrusivePtr<Counted>(object)));
  }
  EXPECT_EQ(object->use_count(), 1U);
}

// Goal: any sequence of calls answers as a bounded deque does.
// Method: random calls on both, for capacities 1 to 16.
TEST(SpscRingTest, BehavesAsABoundedDeque) {
  std::mt19937 random(1);
  for (std::size_t capacity = 1; capacity <= 16; capacity *= 2) {
    SpscRing<std::uint64_t> ring(capacity);
    std::deque<std::uint64_t> model;
    std::uint64_t next = 1;
    for (int step = 0; step < 20'000; ++step) {
      std::vector<std::uint64_t> batch(random() % (capacity + 3));
      switch (random() % 4) {
        case 0: {
          const bool fits = model.size() < capacity;
          ASSERT_EQ(ring.try_push(std::uint64_t{next}), fits);
          if (fits) model.push_back(next++);
          break;
        }
        case 1: {
          const auto item = ring.try_pop();
          ASSERT_EQ(item.has_value(), !model.empty());
          if (!item) break;
          ASSERT_EQ(*item, model.front());
          model.pop_front();
          break;
        }
        case 2: {
          for (std::size_t i = 0; i < batch.size(); ++i) batch[i] = next + i;
          const std::size_t count = std::min(batch.size(), capacity - model.size());
          ASSERT_EQ(ring.try_push_batch(batch), count);
          for (std::size_t i = 0; i < count; ++i) model.push_back(next++);
          break;
        }
        default: {
          const std::size_t count = std::min(batch.size(), model.size());
          ASSERT_EQ(ring.try_pop_batch(batch), count);
          for (std::size_t i = 0; i < count; ++i) {
            ASSERT_EQ(batch[i], model.front());
            model.pop_front();
          }
        }
      }
      ASSERT_EQ(ring.size_approx(), model.size());
      ASSERT_EQ(ring.empty(), model.empty());
    }
  }
}

// Goal: no loss, duplicate or reordering across threads, and no element alive afterwards.
// Method: small rings wrap constantly, single calls and batches mix; CI also runs this under TSan.
TEST(SpscRingTest, DeliversInOrderAcrossThreads) {
  constexpr std::size_t kItems = 20'000;
  for (const std::size_t capacity : {1U, 2U, 8U}) {
    SpscRing<std::unique_ptr<std::size_t>> ring(capacity);
    std::atomic<bool> abandoned{false};
    std::jthread producer([&] {
      std::mt19937 random(2);
      std::vector<std::unique_ptr<std::size_t>> batch;
      for (std::size_t next = 0; next < kItems && !abandoned;) {
        batch.clear();
        for (std::size_t i = 0; i < 1 + random() % 5 && next + i < kItems; ++i) {
          batch.push_back(std::make_unique<std::size_t>(next + i));
        }
        const std::size_t pushed =
            batch.size() == 1 ? std::size_t{ring.try_push(std::move(batch[0]))} : ring.try_push_batch(batch);
        if (pushed == 0) std::this_thread::yield();
        next += pushed;
      }
    });
    std::mt19937 random(3);
    std::vector<std::unique_ptr<std::size_t>> batch(4);
    bool in_order = true;
    for (std::size_t expected = 0; expected < kItems && in_order;) {
      std::size_t count = 0;
      if (random() % 2 == 0) {
        count = ring.try_pop_batch(batch);
      } else if (auto item = ring.try_pop()) {
        batch[0] = std::move(*item);
        count = 1;
      }
      for (std::size_t i = 0; i < count; ++i) in_order = in_order && *batch[i] == expected++;
      if (count == 0) std::this_thread::yield();
    }
    abandoned = !in_order;
    producer.join();
    ASSERT_TRUE(in_order) << "capacity " << capacity;
    EXPECT_TRUE(ring.empty());
  }
}

}  // namespace
}  // namespace logflume
