#include "sink/backoff.h"

#include <gtest/gtest.h>

namespace logflume {
namespace {

TEST(BackoffTest, CeilingDoublesUpToTheCap) {
  Backoff backoff({.initial = 100ms, .max = 1s}, [] { return 1.0; });
  EXPECT_EQ(backoff.next(), 100ms);
  EXPECT_EQ(backoff.next(), 200ms);
  EXPECT_EQ(backoff.next(), 400ms);
  EXPECT_EQ(backoff.next(), 800ms);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(backoff.next(), 1s);
  EXPECT_EQ(backoff.failures(), 204u);
}

TEST(BackoffTest, SuccessStartsOver) {
  Backoff backoff({.initial = 100ms, .max = 10s}, [] { return 1.0; });
  backoff.next();
  backoff.next();
  backoff.reset();
  EXPECT_EQ(backoff.failures(), 0u);
  EXPECT_EQ(backoff.next(), 100ms);
}

TEST(BackoffTest, JitterCoversTheWholeInterval) {
  Backoff backoff({.initial = 1s, .max = 1s});
  Duration least = 10s, most = 0s;
  for (int i = 0; i < 1000; ++i) {
    const Duration delay = backoff.next();
    ASSERT_GE(delay, 0s);
    ASSERT_LE(delay, 1s);
    least = std::min(least, delay);
    most = std::max(most, delay);
  }
  EXPECT_LT(least, 100ms);
  EXPECT_GT(most, 900ms);
}

TEST(BackoffTest, StaysSaneWithExtremeSettings) {
  Backoff swapped({.initial = 10s, .max = 1s}, [] { return 1.0; });
  EXPECT_EQ(swapped.next(), 10s);
  Backoff zero({.initial = 0s, .max = 0s}, [] { return 1.0; });
  EXPECT_GT(zero.next(), 0s);
  Backoff huge({.initial = std::chrono::hours(24), .max = Duration::max()}, [] { return 0.5; });
  for (int i = 0; i < 100; ++i) EXPECT_GE(huge.next(), 0s);
}

}  // namespace
}  // namespace logflume
