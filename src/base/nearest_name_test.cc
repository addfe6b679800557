#include "base/nearest_name.h"

#include <gtest/gtest.h>

namespace logflume {
namespace {

TEST(NearestNameTest, FindsSlipsButNotOtherWords) {
  const std::vector<std::string> names{"include", "exclude", "inputs", "type"};
  EXPECT_EQ(nearest_name("inclde", names), "include");
  EXPECT_EQ(nearest_name("icnlude", names), "include");
  EXPECT_EQ(nearest_name("input", names), "inputs");
  EXPECT_EQ(nearest_name("typo", names), "type");
  EXPECT_EQ(nearest_name("compression", names), "");
  EXPECT_EQ(nearest_name("", names), "");
  EXPECT_EQ(nearest_name(std::string(1000, 'x'), names), "");
}

}  // namespace
}  // namespace logflume
