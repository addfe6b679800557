#include "base/host_port.h"

#include <gtest/gtest.h>

namespace logflume {
namespace {

std::string said(std::string_view text, PortRule rule = PortRule::kNeeded) {
  const Result<HostPort> parsed = parse_host_port(text, rule);
  return parsed ? parsed->host + " " + std::to_string(parsed->port) : "! " + parsed.error().text();
}

TEST(HostPortTest, TakesNamesAndAddresses) {
  EXPECT_EQ(said("logs.example.com:5140"), "logs.example.com 5140");
  EXPECT_EQ(said("127.0.0.1:65535"), "127.0.0.1 65535");
  EXPECT_EQ(said("[::1]:1"), "::1 1");
  EXPECT_EQ(said("[fe80::1%eth0]:80"), "fe80::1%eth0 80");
}

TEST(HostPortTest, SaysWhatIsWrong) {
  EXPECT_EQ(said(""), "! an empty text");
  EXPECT_EQ(said("here"), "! \"here\" has no port");
  EXPECT_EQ(said("[::1]"), "! \"[::1]\" has no port");
  EXPECT_EQ(said(":80"), "! the host is missing");
  EXPECT_EQ(said("::1:80"), "! an IPv6 address stands in brackets, as in [::1]:514");
  EXPECT_EQ(said("[]:80"), "! an IPv6 address stands in brackets, as in [::1]");
  EXPECT_EQ(said("[::g/1]:80"), "! \"[::g/1]\" is not an IPv6 address");
  EXPECT_EQ(said("a b:80"), "! \"a b\" is not a host name");
  for (const char* port : {"", "x", "0", "65536", "-1", "99999999999999999999", "8 "}) {
    EXPECT_EQ(said(std::string("h:") + port),
              std::string("! the port \"") + port + "\" is not a number from 1 to 65535");
  }
}

TEST(HostPortTest, ThePortMayBeAnyOrAbsentWhereThatMakesSense) {
  EXPECT_EQ(said("h:0", PortRule::kOrAny), "h 0");
  EXPECT_EQ(said("h", PortRule::kOrAny), "! \"h\" has no port");
  EXPECT_EQ(said("h", PortRule::kOptional), "h 0");
  EXPECT_EQ(said("[::1]", PortRule::kOptional), "::1 0");
  EXPECT_EQ(said("h:0", PortRule::kOptional), "! the port \"0\" is not a number from 1 to 65535");
}

TEST(HostPortTest, IsWrittenAsItIsRead) {
  for (const char* text : {"h:1", "[::1]:65535"}) EXPECT_EQ(parse_host_port(text)->text(), text);
}

}  // namespace
}  // namespace logflume
