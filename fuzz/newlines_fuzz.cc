// Goal: every newline kernel finds what the obvious loop finds, at any alignment, and reads nothing outside.
// Input: one byte of alignment, one of max_line_bytes, then the text.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "check.h"
#include "event/newlines.h"

using namespace logflume;

namespace {

std::size_t naive_long_line(std::string_view text, std::size_t max_bytes) {
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end - begin > max_bytes) return begin;
    begin = end + 1;
  }
  return std::string_view::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t shift = data[0] % 64;
  const std::size_t max_line_bytes = data[1];
  data += 2;
  size -= 2;
  // Exactly as long as needed, so that AddressSanitizer sees a byte too many.
  const auto buffer = std::make_unique<char[]>(shift + size);
  std::copy(data, data + size, buffer.get() + shift);
  const std::string_view text(buffer.get() + shift, size);

  std::vector<std::uint32_t> expected;
  for (std::size_t i = 0; i < size; ++i) {
    if (text[i] == '\n') expected.push_back(static_cast<std::uint32_t>(i));
  }
  for (const NewlineKernel& kernel : newline_kernels()) {
    if (!kernel.supported) continue;
    FUZZ_CHECK(kernel.count(text.data(), size) == expected.size());
    const auto positions = std::make_unique<std::uint32_t[]>(size);
    const std::size_t count = kernel.index(text.data(), size, 0, positions.get());
    FUZZ_CHECK(std::equal(expected.begin(), expected.end(), positions.get(), positions.get() + count));
  }
  std::vector<std::uint32_t> positions;
  index_newlines(text, positions);
  FUZZ_CHECK(positions == expected);
  FUZZ_CHECK(count_newlines(text) == expected.size());
  FUZZ_CHECK(end_of_last_line(text) == (expected.empty() ? 0 : expected.back() + 1));
  FUZZ_CHECK(find_long_line(text, max_line_bytes) == naive_long_line(text, max_line_bytes));
  return 0;
}
