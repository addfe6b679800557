// What is looked for, and what was found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace logflume {

// docs/redaction.md says what each of them takes for one, and what not.
enum class Detector : std::uint8_t { kCreditCard, kEmail, kIpv4, kIpv6, kToken, kKey };
constexpr std::size_t kDetectors = 6;

// "credit_card", "email", "ipv4", "ipv6", "token", "key".
std::string_view detector_name(Detector detector);
std::optional<Detector> parse_detector(std::string_view name);

// A part of a text that is not to be seen.
struct Finding {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::uint32_t detector = 0;  // by number: Redactor::names()
};

}  // namespace logflume
