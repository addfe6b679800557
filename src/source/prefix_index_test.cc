#include "source/prefix_index.h"

#include <gtest/gtest.h>

namespace logflume {
namespace {

Prefix prefix_of(std::string_view text) {
  return {static_cast<std::uint32_t>(text.size()), hash_bytes(text)};
}

TEST(PrefixIndexTest, FindsThoseThatTheHeadBeginsWithLongestFirst) {
  int a = 0, b = 0, c = 0;
  PrefixIndex<int*> index;
  index.add(prefix_of("abc"), &a);
  index.add(prefix_of("abcdef"), &b);
  index.add(prefix_of("abx"), &c);
  index.add(prefix_of(""), &c);
  EXPECT_EQ(index.find("abcdefgh"), (std::vector<int*>{&b, &a}));
  EXPECT_EQ(index.find("abcd"), (std::vector<int*>{&a}));
  EXPECT_TRUE(index.find("ab").empty());
  index.remove(prefix_of("abcdef"), &b);
  index.remove(prefix_of("abcdef"), &b);
  EXPECT_EQ(index.find("abcdefgh"), (std::vector<int*>{&a}));
  index.remove(prefix_of("abc"), &a);
  index.remove(prefix_of("abx"), &c);
  EXPECT_TRUE(index.empty());
}

TEST(PrefixIndexTest, ManyThatBeginAlikeAreNotAllGiven) {
  std::vector<int> values(10'000);
  PrefixIndex<int*> index;
  for (int& value : values) index.add(prefix_of("alike"), &value);
  EXPECT_EQ(index.find("alike and more").size(), PrefixIndex<int*>::kFoundMax);
  for (int& value : values) index.remove(prefix_of("alike"), &value);
  EXPECT_TRUE(index.empty());
}

}  // namespace
}  // namespace logflume
