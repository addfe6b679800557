#include "transform/recent_keys.h"

#include <gtest/gtest.h>

#include <list>
#include <random>
#include <utility>

namespace logflume {
namespace {

// Goal: the entries are those of the keys used last. Method: beside a list that is searched.
TEST(RecentKeysTest, KnowsTheKeysThatWereUsedLast) {
  std::mt19937 random(1);
  for (const std::size_t keys_max : {1UL, 2UL, 7UL, 64UL, 300UL}) {
    RecentKeys<int> keys(keys_max);
    std::list<std::pair<std::uint64_t, int>> naive;  // the newest first
    for (int i = 1; i < 20'000; ++i) {
      const std::uint64_t number = random() % (keys_max + keys_max / 2 + 1);
      // Many share a place.
      int& entry = keys.use({number % 16, number});
      auto known = naive.begin();
      while (known != naive.end() && known->first != number) ++known;
      if (known == naive.end()) {
        ASSERT_EQ(entry, 0) << keys_max << " keys, use " << i;
        naive.emplace_front(number, i);
        if (naive.size() > keys_max) naive.pop_back();
      } else {
        ASSERT_EQ(entry, known->second) << keys_max << " keys, use " << i;
        known->second = i;
        naive.splice(naive.begin(), naive, known);
      }
      entry = i;
      ASSERT_EQ(keys.size(), naive.size());
    }
  }
}

}  // namespace
}  // namespace logflume
