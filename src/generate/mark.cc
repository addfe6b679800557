#include "generate/mark.h"

#include <xxhash.h>

#include <array>
#include <cstring>

#include "base/characters.h"

namespace logflume {
namespace {

constexpr std::size_t kSequenceDigitsMax = 18;  // fits 64 bits with room to spare
constexpr std::string_view kBlankChecksum = "00000000";

bool is_stream_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

std::array<char, kMarkChecksumDigits> checksum_digits(std::span<const char> line) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto hash = static_cast<std::uint32_t>(XXH3_64bits(line.data(), line.size()));
  std::array<char, kMarkChecksumDigits> digits{};
  for (std::size_t i = 0; i < digits.size(); ++i) digits[i] = kHex[(hash >> (28 - 4 * i)) & 0xF];
  return digits;
}

struct ParsedMark {
  Mark mark;
  std::size_t checksum_at = 0;
};

std::optional<ParsedMark> parse_mark(std::string_view line, std::size_t at) {
  std::size_t i = at + kMarkPrefix.size();
  const std::size_t stream_at = i;
  while (i < line.size() && i - stream_at <= kMarkStreamMax && is_stream_char(line[i])) ++i;
  const std::string_view stream = line.substr(stream_at, i - stream_at);
  if (stream.empty() || stream.size() > kMarkStreamMax || i >= line.size() || line[i] != '.') return {};
  const std::size_t sequence_at = ++i;
  std::uint64_t sequence = 0;
  for (; i < line.size() && is_digit(line[i]); ++i) {
    if (i - sequence_at == kSequenceDigitsMax) return {};
    sequence = sequence * 10 + static_cast<std::uint64_t>(line[i] - '0');
  }
  if (i == sequence_at || sequence == 0 || i >= line.size() || line[i] != '.') return {};
  ++i;
  if (line.size() - i < kMarkChecksumDigits) return {};
  return ParsedMark{{stream, sequence}, i};
}

}  // namespace

bool is_stream_name(std::string_view name) {
  if (name.empty() || name.size() > kMarkStreamMax) return false;
  for (const char c : name) {
    if (!is_stream_char(c)) return false;
  }
  return true;
}

std::string blank_mark(std::size_t stream_size) {
  std::string mark(kMarkPrefix);
  mark.append(stream_size, '-').append(".").append(kMarkSequenceDigits, '0').append(".");
  return mark.append(kBlankChecksum);
}

void seal_line(std::span<char> line, std::size_t checksum_at) {
  const auto digits = checksum_digits(line);
  std::memcpy(line.data() + checksum_at, digits.data(), digits.size());
}

std::optional<Mark> check_line(std::span<char> line) {
  const std::string_view text(line.data(), line.size());
  // A line may quote another one: every place that looks like a mark is tried.
  for (std::size_t at = text.find(kMarkPrefix); at != std::string_view::npos;
       at = text.find(kMarkPrefix, at + 1)) {
    const std::optional<ParsedMark> parsed = parse_mark(text, at);
    if (!parsed) continue;
    char* const place = line.data() + parsed->checksum_at;
    std::array<char, kMarkChecksumDigits> found{};
    std::memcpy(found.data(), place, found.size());
    std::memcpy(place, kBlankChecksum.data(), kBlankChecksum.size());
    const bool good = checksum_digits(line) == found;
    std::memcpy(place, found.data(), found.size());
    if (good) return parsed->mark;
  }
  return std::nullopt;
}

}  // namespace logflume
