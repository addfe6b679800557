#include "event/newlines.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "event/newline_kernels.h"

namespace logflume {
namespace newline_kernel {

// Sixteen bytes in the compiler's own vector type: SSE2 on x86-64, NEON on arm64, plain words elsewhere.
std::size_t count_portable(const char* data, std::size_t size) {
  using Vector [[gnu::vector_size(16)]] = unsigned char;
  constexpr unsigned char kNewline = '\n';
  std::size_t count = 0;
  while (size >= 32) {
    // Counters of a byte each lane: summed before one can pass 255.
    std::size_t rounds = std::min<std::size_t>(size / 32, 255);
    size -= rounds * 32;
    Vector a{}, b{};
    for (; rounds != 0; --rounds, data += 32) {
      Vector low, high;
      std::memcpy(&low, data, 16);
      std::memcpy(&high, data + 16, 16);
      a -= reinterpret_cast<Vector>(low == kNewline);  // a match is all ones: minus one
      b -= reinterpret_cast<Vector>(high == kNewline);
    }
    for (int lane = 0; lane < 16; ++lane) count += std::size_t{a[lane]} + b[lane];
  }
  for (; size != 0; --size, ++data) count += *data == '\n' ? 1 : 0;
  return count;
}

std::size_t index_portable(const char* data, std::size_t size, std::uint32_t base, std::uint32_t* out) {
  std::uint32_t* const begin = out;
  const char* const first = data;
  const char* const end = data + size;
  while (data != end) {
    const void* found = std::memchr(data, '\n', static_cast<std::size_t>(end - data));
    if (found == nullptr) break;
    data = static_cast<const char*>(found);
    *out++ = base + static_cast<std::uint32_t>(data - first);
    ++data;
  }
  return static_cast<std::size_t>(out - begin);
}

}  // namespace newline_kernel

std::span<const NewlineKernel> newline_kernels() {
  using namespace newline_kernel;
#if defined(__x86_64__)
  static const std::array kernels = [] {
    __builtin_cpu_init();
    const bool bits = __builtin_cpu_supports("bmi") && __builtin_cpu_supports("popcnt");
    const bool avx2 = bits && __builtin_cpu_supports("avx2");
    const bool avx512 = bits && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("avx512f") &&
                        __builtin_cpu_supports("avx512bw");
    return std::array{NewlineKernel{"avx512bw", avx512, count_avx512, index_avx512},
                      NewlineKernel{"avx2", avx2, count_avx2, index_avx2},
                      NewlineKernel{"portable", true, count_portable, index_portable}};
  }();
#else
  static constexpr std::array kernels{NewlineKernel{"portable", true, count_portable, index_portable}};
#endif
  return kernels;
}

namespace {

const NewlineKernel& best_kernel() {
  static const NewlineKernel& best = *std::ranges::find_if(newline_kernels(), &NewlineKernel::supported);
  return best;
}

}  // namespace

std::size_t count_newlines(std::string_view text) { return best_kernel().count(text.data(), text.size()); }

std::size_t end_of_last_line(std::string_view text) {
  if (text.empty()) return 0;
  const void* found = ::memrchr(text.data(), '\n', text.size());
  return found == nullptr ? 0 : static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) + 1;
}

void index_newlines(std::string_view text, std::vector<std::uint32_t>& out) {
  // By way of a buffer on the stack: `out` then never grows beyond what is found, and is never filled with
  // zeros just to be overwritten.
  constexpr std::size_t kChunkBytes = 4096;
  std::array<std::uint32_t, kChunkBytes> found;
  const NewlineKernel& kernel = best_kernel();
  out.clear();
  for (std::size_t begin = 0; begin < text.size(); begin += kChunkBytes) {
    const std::size_t bytes = std::min(kChunkBytes, text.size() - begin);
    const std::size_t count =
        kernel.index(text.data() + begin, bytes, static_cast<std::uint32_t>(begin), found.data());
    out.insert(out.end(), found.data(), found.data() + count);
  }
}

std::size_t find_long_line(std::string_view text, std::size_t max_bytes) {
  std::size_t begin = 0;
  // Of max_bytes + 1 bytes, one must be a newline. All lines up to the last such newline are short enough:
  // those between are never looked at.
  while (text.size() - begin > max_bytes) {
    const std::size_t step = end_of_last_line(text.substr(begin, max_bytes + 1));
    if (step == 0) return begin;
    begin += step;
  }
  return std::string_view::npos;
}

}  // namespace logflume
