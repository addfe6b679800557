#include "base/host_port.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>

namespace logflume {
namespace {

bool is_alnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

Error invalid(std::string message) { return Error{Errc::kInvalidArgument, 0, std::move(message)}; }

Result<std::string> parse_host(std::string_view host) {
  if (host.empty()) return invalid("the host is missing");
  if (host.front() == '[') {
    if (host.back() != ']' || host.size() < 4)
      return invalid("an IPv6 address stands in brackets, as in [::1]");
    const std::string_view inside = host.substr(1, host.size() - 2);
    for (const char c : inside) {
      // With a zone: fe80::1%eth0.
      if (!is_alnum(c) && c != ':' && c != '.' && c != '%')
        return invalid(fmt::format("\"{}\" is not an IPv6 address", host));
    }
    return std::string(inside);
  }
  if (host.find(':') != std::string_view::npos)
    return invalid("an IPv6 address stands in brackets, as in [::1]:514");
  for (const char c : host) {
    if (!is_alnum(c) && c != '.' && c != '-' && c != '_')
      return invalid(fmt::format("\"{}\" is not a host name", host));
  }
  return std::string(host);
}

}  // namespace

std::string HostPort::text() const {
  const bool brackets = host.find(':') != std::string::npos;
  return brackets ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Result<HostPort> parse_host_port(std::string_view text, PortRule rule) {
  if (text.empty()) return invalid("an empty text");
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  if (!has_port && rule != PortRule::kOptional) return invalid(fmt::format("\"{}\" has no port", text));
  Result<std::string> host = parse_host(has_port ? text.substr(0, colon) : text);
  if (!host) return std::move(host).error();
  HostPort parsed{*std::move(host), 0};
  if (!has_port) return parsed;
  const std::string_view digits = text.substr(colon + 1);
  const unsigned least = rule == PortRule::kOrAny ? 0 : 1;
  unsigned port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() || port < least ||
      port > 65535) {
    return invalid(fmt::format("the port \"{}\" is not a number from {} to 65535", digits, least));
  }
  parsed.port = static_cast<std::uint16_t>(port);
  return parsed;
}

}  // namespace logflume
