#include "base/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>

namespace logflume {

std::optional<IpAddress> parse_ip_address(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.empty() || text.size() >= terminated.size()) return std::nullopt;
  // Bytes behind a NUL would not be looked at.
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  std::copy(text.begin(), text.end(), terminated.begin());
  IpAddress found;
  if (::inet_pton(AF_INET, terminated.data(), found.bytes.data()) == 1) {
    found.count = 4;
    return found;
  }
  if (::inet_pton(AF_INET6, terminated.data(), found.bytes.data()) != 1) return std::nullopt;
  found.count = 16;
  static constexpr std::array<unsigned char, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (!std::equal(kMapped.begin(), kMapped.end(), found.bytes.begin())) return found;
  IpAddress inner;
  std::copy_n(found.bytes.begin() + 12, 4, inner.bytes.begin());
  inner.count = 4;
  return inner;
}

}  // namespace logflume
