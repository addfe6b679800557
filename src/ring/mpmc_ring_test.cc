#include "ring/mpmc_ring.h"

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

TEST(MpmcRingTest, AnswersFullAndEmpty) {
  MpmcRing<int> ring(2);
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

TEST(MpmcRingTest, LeavesTheItemUntouchedWhenFull) {
  MpmcRing<std::unique_ptr<int>> ring(2);
  ASSERT_TRUE(ring.try_push(std::make_unique<int>(0)));
  ASSERT_TRUE(ring.try_push(std::make_unique<int>(1)));
  auto item = std::make_unique<int>(2);
  EXPECT_FALSE(ring.try_push(std::move(item)));
  ASSERT_NE(item, nullptr);
  EXPECT_EQ(*item, 2);
}

TEST(MpmcRingTest, PushesThePrefixOfABatchThatFits) {
  MpmcRing<std::unique_ptr<int>> ring(4);
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

TEST(MpmcRingTest, KeepsNothingAliveThatWasPopped) {
  const IntrusivePtr<Counted> object(new Counted);
  MpmcRing<IntrusivePtr<Counted>> ring(4);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ring.try_push(IntrusivePtr<Counted>(object)));
  EXPECT_EQ(object->use_count(), 4U);
  ring.try_pop().reset();
  EXPECT_EQ(object->use_count(), 3U);
  std::vector<IntrusivePtr<Counted>> to(4);
  ASSERT_EQ(ring.try_pop_batch(to), 2U);
  to.clear();
  EXPECT_EQ(object->use_count(), 1U);
}

TEST(MpmcRingTest, ReleasesWhatItStillHoldsWhenDestroyed) {
  const IntrusivePtr<Counted> object(new Counted);
  {
    MpmcRing<IntrusivePtr<Counted>> ring(2);
    ASSERT_TRUE(ring.try_push(IntrusivePtr<Counted>(object)));
  }
  EXPECT_EQ(object->use_count(), 1U);
}

// Goal: any sequence of calls answers as a bounded deque does.
// Method: random calls on both, for capacities 2 to 16.
TEST(MpmcRingTest, BehavesAsABoundedDeque) {
  std::mt19937 random(1);
  for (std::size_t capacity = 2; capacity <= 16; capacity *= 2) {
    MpmcRing<std::uint64_t> ring(capacity);
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

struct Tagged {
  std::size_t producer = 0;
  std::size_t number = 0;
};

struct Shape {
  std::size_t producers;
  std::size_t consumers;
  std::size_t capacity;
};

class MpmcRingStressTest : public testing::TestWithParam<Shape> {};

// Goal: every element arrives exactly once, and every consumer sees each producer's elements in their order.
// Method: small rings wrap constantly, single calls and batches mix; CI also runs this under TSan.
TEST_P(MpmcRingStressTest, DeliversEachElementOnceAndInOrderPerProducer) {
  constexpr std::size_t kItems = 10'000;  // a producer
  const auto [producers, consumers, capacity] = GetParam();
  const std::size_t total = kItems * producers;
  MpmcRing<std::unique_ptr<Tagged>> ring(capacity);
  std::atomic<std::size_t> popped{0};
  std::vector<std::vector<Tagged>> seen(consumers);
  {
    std::vector<std::jthread> threads;
    for (std::size_t id = 0; id < producers; ++id) {
      threads.emplace_back([&, id] {
        std::mt19937 random(static_cast<unsigned>(id));
        std::vector<std::unique_ptr<Tagged>> batch;
        for (std::size_t next = 0; next < kItems;) {
          batch.clear();
          for (std::size_t i = 0; i < 1 + random() % 4 && next + i < kItems; ++i) {
            batch.push_back(std::make_unique<Tagged>(Tagged{id, next + i}));
          }
          const std::size_t pushed = batch.size() == 1 ? std::size_t{ring.try_push(std::move(batch[0]))}
                                                       : ring.try_push_batch(batch);
          if (pushed == 0) std::this_thread::yield();
          next += pushed;
        }
      });
    }
    for (std::size_t id = 0; id < consumers; ++id) {
      threads.emplace_back([&, id] {
        std::mt19937 random(static_cast<unsigned>(100 + id));
        std::vector<std::unique_ptr<Tagged>> batch(3);
        while (popped < total) {
          std::size_t count = 0;
          if (random() % 2 == 0) {
            count = ring.try_pop_batch(batch);
          } else if (auto item = ring.try_pop()) {
            batch[0] = std::move(*item);
            count = 1;
          }
          for (std::size_t i = 0; i < count; ++i) seen[id].push_back(*batch[i]);
          if (count == 0) std::this_thread::yield();
          popped += count;
        }
      });
    }
  }
  EXPECT_TRUE(ring.empty());
  std::vector<std::vector<unsigned>> times(producers, std::vector<unsigned>(kItems));
  for (const auto& items : seen) {
    std::vector<std::size_t> next(producers, 0);
    for (const Tagged& item : items) {
      ASSERT_GE(item.number, next[item.producer]) << "reordered";
      next[item.producer] = item.number + 1;
      ++times[item.producer][item.number];
    }
  }
  for (const auto& producer : times) {
    for (const unsigned count : producer) ASSERT_EQ(count, 1U);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, MpmcRingStressTest,
                         testing::Values(Shape{1, 1, 2}, Shape{2, 1, 4}, Shape{1, 2, 4}, Shape{2, 2, 2},
                                         Shape{2, 2, 8}, Shape{3, 1, 2}),
                         [](const auto& shape) {
                           return "P" + std::to_string(shape.param.producers) + "C" +
                                  std::to_string(shape.param.consumers) + "Capacity" +
                                  std::to_string(shape.param.capacity);
                         });

}  // namespace
}  // namespace logflume
