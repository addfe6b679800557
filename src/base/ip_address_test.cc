#include "base/ip_address.h"

#include <gtest/gtest.h>

namespace logflume {
namespace {

TEST(IpAddressTest, ReadsBothKinds) {
  const auto four = parse_ip_address("192.0.2.1");
  ASSERT_TRUE(four);
  EXPECT_EQ(four->count, 4U);
  EXPECT_EQ(four->bytes[0], 192);
  EXPECT_EQ(four->bytes[3], 1);
  const auto six = parse_ip_address("2001:db8::1");
  ASSERT_TRUE(six);
  EXPECT_EQ(six->count, 16U);
  EXPECT_EQ(six->bytes[1], 0x01);
  EXPECT_EQ(six->bytes[15], 1);
}

TEST(IpAddressTest, IPv4WithinIPv6IsIPv4) {
  EXPECT_EQ(parse_ip_address("::ffff:192.0.2.1"), parse_ip_address("192.0.2.1"));
  EXPECT_EQ(parse_ip_address("::ffff:c000:201"), parse_ip_address("192.0.2.1"));
}

TEST(IpAddressTest, RefusesWhatIsNone) {
  using namespace std::literals;
  for (const std::string_view text :
       {""sv, "-"sv, "host"sv, "1.2.3"sv, "1.2.3.4.5"sv, "1.2.3.256"sv, "1.2.3.4:80"sv, "[::1]"sv,
        "::1%eth0"sv, "1.2.3.4\0x"sv, "1.2.3.4 "sv, "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"sv})
    EXPECT_FALSE(parse_ip_address(text)) << text;
}

}  // namespace
}  // namespace logflume
