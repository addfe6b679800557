#include "base/cri_line.h"

#include <gtest/gtest.h>

namespace logflume {
namespace {

TEST(CriLineTest, HasItsParts) {
  const auto whole = cri_line("2026-01-02T03:04:05Z stdout F a message ");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->time, "2026-01-02T03:04:05Z");
  EXPECT_EQ(whole->stream, "stdout");
  EXPECT_FALSE(whole->partial);
  EXPECT_EQ(whole->message, "a message ");
  const auto part = cri_line("t stderr P:x  b");
  ASSERT_TRUE(part);
  EXPECT_EQ(part->stream, "stderr");
  EXPECT_TRUE(part->partial);
  EXPECT_EQ(part->message, " b");
  for (const auto* empty : {"t stdout F", "t stdout F "}) {
    ASSERT_TRUE(cri_line(empty)) << empty;
    EXPECT_EQ(cri_line(empty)->message, "") << empty;
  }
}

TEST(CriLineTest, OthersAreNone) {
  for (const auto* line :
       {"", " ", "t", "t stdout", "t stdout ", "t stdout G m", "t stdin F m", "t  stdout F m"})
    EXPECT_FALSE(cri_line(line)) << line;
}

}  // namespace
}  // namespace logflume
