// "host:port" as users write it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace logflume {

struct HostPort {
  std::string host;        // without brackets
  std::uint16_t port = 0;  // 0: none was given, or any free one

  // "host:port", "[::1]:port".
  std::string text() const;
};

enum class PortRule {
  kNeeded,    // 1 to 65535
  kOrAny,     // 0 too: any free one, to listen at
  kOptional,  // 1 to 65535, or no port at all
};

// A name, an IPv4 address, or an IPv6 address in brackets, and its port. Errors: kInvalidArgument, the
// message saying what is wrong.
Result<HostPort> parse_host_port(std::string_view text, PortRule rule = PortRule::kNeeded);

}  // namespace logflume
