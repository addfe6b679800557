// The kernels behind append_json_escaped(), for tests and benchmarks: each must be as the others.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace logflume {

struct JsonEscapeKernel {
  // The longest text that one byte becomes ("\u0000").
  static constexpr std::size_t kExpansionMax = 6;
  // What a kernel may write, and overwrite, behind the result.
  static constexpr std::size_t kSlackBytes = 32;

  struct Progress {
    std::size_t read;
    std::size_t written;
  };
  std::string_view name;
  bool supported;  // by this processor
  // Escapes `text` into `out` (room for kExpansionMax * text.size() + kSlackBytes), up to its end or to its
  // first byte >= 0x80. Reads nothing outside `text`.
  Progress (*escape_ascii)(std::string_view text, char* out);
  // The same to the end; bytes >= 0x80 are copied as they are.
  Progress (*escape_all)(std::string_view text, char* out);
};
// Best first; the portable one is last.
std::span<const JsonEscapeKernel> json_escape_kernels();

}  // namespace logflume
