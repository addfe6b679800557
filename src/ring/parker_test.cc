#include "ring/parker.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <thread>

namespace logflume {
namespace {

bool readable(const Parker& parker, int timeout_ms) {
  pollfd entry{parker.fd(), POLLIN, 0};
  return ::poll(&entry, 1, timeout_ms) == 1;
}

TEST(ParkerTest, WakeCostsNothingWhileTheOwnerIsUp) {
  Parker parker;
  parker.wake();
  EXPECT_FALSE(readable(parker, 0));
  parker.announce();
  parker.retract();
  parker.wake();
  EXPECT_FALSE(readable(parker, 0));
}

TEST(ParkerTest, WakeMakesTheDescriptorReadableUntilItIsDrained) {
  Parker parker;
  parker.announce();
  parker.wake();
  EXPECT_TRUE(readable(parker, 0));
  parker.retract();
  parker.drain();
  EXPECT_FALSE(readable(parker, 0));
  parker.drain();  // does not block
}

// Goal: no wake-up is lost. Method: a counter is handed over in lock step, so that one lost wake-up stops the
// test; the owner sleeps only on the descriptor.
TEST(ParkerTest, NeverMissesAWakeUp) {
  constexpr int kRounds = 20'000;
  Parker there;
  Parker back;
  std::atomic<int> sent{0};
  std::atomic<int> answered{0};
  const auto await = [](Parker& parker, const std::atomic<int>& value, int expected) {
    while (value.load(std::memory_order_relaxed) != expected) {
      parker.announce();
      bool woken = true;
      // Relaxed is enough: announce() and wake() order it.
      if (value.load(std::memory_order_relaxed) != expected) woken = readable(parker, 30'000);
      parker.retract();
      parker.drain();
      if (!woken) return false;
    }
    return true;
  };
  std::jthread echo([&] {
    for (int i = 1; i <= kRounds; ++i) {
      if (!await(there, sent, i)) return;
      answered.store(i, std::memory_order_relaxed);
      back.wake();
    }
  });
  for (int i = 1; i <= kRounds; ++i) {
    sent.store(i, std::memory_order_relaxed);
    there.wake();
    ASSERT_TRUE(await(back, answered, i)) << "lost in round " << i;
  }
}

}  // namespace
}  // namespace logflume
