#include "base/percent.h"

#include <gtest/gtest.h>

namespace logflume {
namespace {

TEST(Percent, KeepsWhatIsPlain) {
  EXPECT_EQ(percent_encode("aZ09-_/ %", "-_"), "aZ09-_%2F%20%25");
  EXPECT_EQ(percent_encode("", "/"), "");
  EXPECT_EQ(percent_encode("\xff\n", ""), "%FF%0A");
}

TEST(Percent, ComesBackAsItWas) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(percent_decode(percent_encode(all, "-_.~/")), all);
  EXPECT_EQ(percent_decode("a%2fb+"), "a/b+");
}

TEST(Percent, RefusesWhatIsNoByte) {
  for (const char* text : {"%", "a%1", "%zz", "%1z", "%+1", "% 1", "%-1"})
    EXPECT_FALSE(percent_decode(text)) << text;
}

}  // namespace
}  // namespace logflume
