// Addresses of IPv4 and IPv6.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace logflume {

struct IpAddress {
  std::array<unsigned char, 16> bytes{};  // as on the network
  std::size_t count = 0;                  // of bytes: 4 or 16
  bool operator==(const IpAddress&) const = default;
};

// As inet_pton reads it; an IPv4 address within IPv6 (::ffff:192.0.2.1) is the IPv4 address. Nothing if it is
// none.
std::optional<IpAddress> parse_ip_address(std::string_view text);

}  // namespace logflume
