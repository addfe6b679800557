// The mark that each generated line carries, so that whoever holds the output can tell which lines are
// missing, repeated or damaged.
//
//   mark     := "lfm." stream "." sequence "." checksum
//   stream   := 1 to 32 of [A-Za-z0-9_-]      who wrote the line
//   sequence := 1 to 18 decimal digits        from 1, one more a line
//   checksum := 8 hexadecimal digits, lower case
//
// The checksum is the low half of XXH3-64 over the whole line, without its newline, taken while its own
// digits are "00000000". For example: lfm.w1.000000000042.9a3f11c0
//
// None of these bytes needs escaping in JSON, in a URL or within quotes. Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace logflume {

constexpr std::string_view kMarkPrefix = "lfm.";
constexpr std::size_t kMarkSequenceDigits = 12;  // as generated; zeros lead
constexpr std::size_t kMarkChecksumDigits = 8;
constexpr std::size_t kMarkStreamMax = 32;

// True for what may stand as a stream's name.
bool is_stream_name(std::string_view name);

// A mark with its checksum still zeros, for a stream name of `stream_size` bytes; the parts are filled in by
// their offsets from the mark's first byte.
std::string blank_mark(std::size_t stream_size);
constexpr std::size_t mark_stream_offset() { return kMarkPrefix.size(); }
constexpr std::size_t mark_sequence_offset(std::size_t stream_size) {
  return kMarkPrefix.size() + stream_size + 1;
}
constexpr std::size_t mark_checksum_offset(std::size_t stream_size) {
  return mark_sequence_offset(stream_size) + kMarkSequenceDigits + 1;
}

// Computes the checksum of `line` (no newline) and writes its digits at `checksum_at`.
// REQUIRES: eight '0' stand there.
void seal_line(std::span<char> line, std::size_t checksum_at);

struct Mark {
  std::string_view stream;  // views the line
  std::uint64_t sequence = 0;
};

// The mark of a line (no newline) whose checksum is right; nullopt when there is none. `line` is written to
// while the call lasts and is as before when it returns.
std::optional<Mark> check_line(std::span<char> line);

}  // namespace logflume
