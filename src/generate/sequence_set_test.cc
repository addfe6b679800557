#include "generate/sequence_set.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace logflume {
namespace {

using Range = SequenceSet::Range;

TEST(SequenceSetTest, HolesAreExactAcrossPages) {
  SequenceSet set;
  for (std::uint64_t n = 1; n <= 200'000; ++n) {
    if (n != 5 && (n < 65'530 || n > 65'540) && n != 200'000) {
      EXPECT_TRUE(set.insert(n));
    }
  }
  EXPECT_EQ(set.holes(200'010, 10), (std::vector<Range>{{5, 5}, {65'530, 65'540}, {200'000, 200'010}}));
  EXPECT_EQ(set.holes(200'010, 1), (std::vector<Range>{{5, 5}}));
  EXPECT_TRUE(set.holes(4, 10).empty());
}

TEST(SequenceSetTest, FullPagesStillKnowTheirNumbers) {
  SequenceSet set;
  for (std::uint64_t n = 0; n < 70'000; ++n) EXPECT_TRUE(set.insert(n));
  EXPECT_FALSE(set.insert(1));
  EXPECT_FALSE(set.insert(65'535));
  EXPECT_FALSE(set.insert(69'999));
  EXPECT_TRUE(set.contains(1));
  EXPECT_FALSE(set.contains(70'000));
  EXPECT_EQ(set.size(), 70'000U);
  EXPECT_TRUE(set.holes(69'999, 10).empty());
}

TEST(SequenceSetTest, EmptySetIsOneHoleHoweverLong) {
  const SequenceSet set;
  EXPECT_EQ(set.holes(1'000'000'000'000'000, 10), (std::vector<Range>{{1, 1'000'000'000'000'000}}));
  EXPECT_TRUE(set.holes(0, 10).empty());
}

TEST(SequenceSetTest, AgreesWithASortedSetOnRandomNumbers) {
  std::mt19937_64 random(7);
  SequenceSet set;
  std::set<std::uint64_t> model;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t n = 1 + random() % 150'000;
    EXPECT_EQ(set.insert(n), model.insert(n).second);
  }
  EXPECT_EQ(set.size(), model.size());
  std::vector<Range> holes;
  std::uint64_t next = 1;
  for (const std::uint64_t n : model) {
    if (n > next) holes.push_back({next, n - 1});
    next = n + 1;
  }
  if (next <= 160'000) holes.push_back({next, 160'000});
  EXPECT_EQ(set.holes(160'000, SIZE_MAX), holes);
}

}  // namespace
}  // namespace logflume
