#include "base/printable.h"

#include <gtest/gtest.h>

namespace logflume {
namespace {

TEST(PrintableTest, NothingInItIsObeyedByATerminal) {
  EXPECT_EQ(printable("plain \u20ac"), "plain \u20ac");
  EXPECT_EQ(printable("a\nb\tc\r\x1b[31m\x7f"), "a\\nb\\tc\\x0d\\x1b[31m\\x7f");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            "\\u009b31m");  // C1's way to say ESC [
  EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(printable(std::string_view("\0", 1)), "\\x00");
}

TEST(PrintableTest, IsCutBetweenCharacters) {
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdef", 5), "abcde...");
  EXPECT_EQ(printable("\u20ac\u20ac\u20ac", 4), "\u20ac\u20ac...");
}

}  // namespace
}  // namespace logflume
