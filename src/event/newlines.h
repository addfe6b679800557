// Where events end: newline scanning with run-time dispatch (AVX-512BW, AVX2, portable).
//
// All functions take any alignment and length, zero included, and never read outside [data, data + size)
// unless they say so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace logflume {

// Number of '\n' in `text`.
std::size_t count_newlines(std::string_view text);

// Position just behind the last '\n'; 0 when there is none.
std::size_t end_of_last_line(std::string_view text);

// Appends the position of each '\n' of `text` to `out` (cleared first). REQUIRES: text.size() < 4 GiB.
void index_newlines(std::string_view text, std::vector<std::uint32_t>& out);

// Begin of the first line whose length, without newline, is more than `max_bytes`; npos when none. An
// unterminated last line counts. Costs about one probe each `max_bytes`, not a scan.
std::size_t find_long_line(std::string_view text, std::size_t max_bytes);

// The kernels, best first, for tests and benchmarks: each must be as the others. The portable one is last.
struct NewlineKernel {
  std::string_view name;
  bool supported;  // by this processor
  std::size_t (*count)(const char* data, std::size_t size);
  // Writes `base` + the position of each '\n' to `out` (room for `size` entries, all of which it may
  // overwrite) and returns how many there are.
  std::size_t (*index)(const char* data, std::size_t size, std::uint32_t base, std::uint32_t* out);
};
std::span<const NewlineKernel> newline_kernels();

}  // namespace logflume
