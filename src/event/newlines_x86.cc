#include "event/newline_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

// Only these functions are compiled for the newer instruction sets: the rest of the program still starts on
// any x86-64.
#define LOGFLUME_AVX2 [[gnu::target("avx2,bmi,popcnt")]]
#define LOGFLUME_AVX512 [[gnu::target("avx512f,avx512bw,bmi,bmi2,popcnt")]]

namespace logflume::newline_kernel {
namespace {

// Appends base + the position of each bit of `mask`; returns the new end. Most blocks of log text hold no
// newline or one, at random: the first two are written without asking and only the end moves, because a
// branch would be mispredicted at nearly every line. REQUIRES: room for two entries.
[[gnu::target("bmi,popcnt"), gnu::always_inline]] inline std::uint32_t* append_positions(std::uint64_t mask,
                                                                                         std::uint32_t base,
                                                                                         std::uint32_t* out) {
  std::uint32_t* const end = out + _mm_popcnt_u64(mask);
  out[0] = base + static_cast<std::uint32_t>(_tzcnt_u64(mask));
  mask = _blsr_u64(mask);
  out[1] = base + static_cast<std::uint32_t>(_tzcnt_u64(mask));
  mask = _blsr_u64(mask);
  for (out += 2; out < end; ++out) {
    *out = base + static_cast<std::uint32_t>(_tzcnt_u64(mask));
    mask = _blsr_u64(mask);
  }
  return end;
}

LOGFLUME_AVX2 inline __m256i load256(const char* data) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data));
}

LOGFLUME_AVX2 inline std::uint64_t newline_mask(const char* data, __m256i newline) {
  const auto low =
      static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(load256(data), newline)));
  const auto high =
      static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(load256(data + 32), newline)));
  return low | static_cast<std::uint64_t>(high) << 32;
}

}  // namespace

LOGFLUME_AVX2 std::size_t count_avx2(const char* data, std::size_t size) {
  const __m256i newline = _mm256_set1_epi8('\n');
  const __m256i zero = _mm256_setzero_si256();
  __m256i total = zero;
  while (size >= 128) {
    // Four counters of a byte each lane: summed before one of them can pass 255.
    std::size_t rounds = size / 128 < 255 ? size / 128 : 255;
    size -= rounds * 128;
    __m256i a = zero, b = zero, c = zero, d = zero;
    for (; rounds != 0; --rounds, data += 128) {
      a = _mm256_sub_epi8(a, _mm256_cmpeq_epi8(load256(data), newline));
      b = _mm256_sub_epi8(b, _mm256_cmpeq_epi8(load256(data + 32), newline));
      c = _mm256_sub_epi8(c, _mm256_cmpeq_epi8(load256(data + 64), newline));
      d = _mm256_sub_epi8(d, _mm256_cmpeq_epi8(load256(data + 96), newline));
    }
    total = _mm256_add_epi64(
        total, _mm256_add_epi64(_mm256_add_epi64(_mm256_sad_epu8(a, zero), _mm256_sad_epu8(b, zero)),
                                _mm256_add_epi64(_mm256_sad_epu8(c, zero), _mm256_sad_epu8(d, zero))));
  }
  std::uint64_t lanes[4];
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes), total);
  std::size_t count = lanes[0] + lanes[1] + lanes[2] + lanes[3];
  for (; size >= 32; size -= 32, data += 32) {
    const auto mask =
        static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(load256(data), newline)));
    count += static_cast<std::size_t>(_mm_popcnt_u32(mask));
  }
  return count + count_portable(data, size);
}

LOGFLUME_AVX2 std::size_t index_avx2(const char* data, std::size_t size, std::uint32_t base,
                                     std::uint32_t* out) {
  const __m256i newline = _mm256_set1_epi8('\n');
  std::uint32_t* const begin = out;
  for (; size >= 64; size -= 64, data += 64, base += 64) {
    out = append_positions(newline_mask(data, newline), base, out);
  }
  return static_cast<std::size_t>(out - begin) + index_portable(data, size, base, out);
}

LOGFLUME_AVX512 std::size_t count_avx512(const char* data, std::size_t size) {
  const __m512i newline = _mm512_set1_epi8('\n');
  std::uint64_t a = 0, b = 0, c = 0, d = 0;
  for (; size >= 256; size -= 256, data += 256) {
    a +=
        static_cast<std::uint64_t>(_mm_popcnt_u64(_mm512_cmpeq_epi8_mask(_mm512_loadu_si512(data), newline)));
    b += static_cast<std::uint64_t>(
        _mm_popcnt_u64(_mm512_cmpeq_epi8_mask(_mm512_loadu_si512(data + 64), newline)));
    c += static_cast<std::uint64_t>(
        _mm_popcnt_u64(_mm512_cmpeq_epi8_mask(_mm512_loadu_si512(data + 128), newline)));
    d += static_cast<std::uint64_t>(
        _mm_popcnt_u64(_mm512_cmpeq_epi8_mask(_mm512_loadu_si512(data + 192), newline)));
  }
  for (; size >= 64; size -= 64, data += 64) {
    a +=
        static_cast<std::uint64_t>(_mm_popcnt_u64(_mm512_cmpeq_epi8_mask(_mm512_loadu_si512(data), newline)));
  }
  // Bytes that the mask leaves out are not touched, so they cannot fault.
  const __mmask64 tail = _bzhi_u64(~0ULL, static_cast<unsigned>(size));
  b += static_cast<std::uint64_t>(
      _mm_popcnt_u64(_mm512_mask_cmpeq_epi8_mask(tail, _mm512_maskz_loadu_epi8(tail, data), newline)));
  return a + b + c + d;
}

LOGFLUME_AVX512 std::size_t index_avx512(const char* data, std::size_t size, std::uint32_t base,
                                         std::uint32_t* out) {
  const __m512i newline = _mm512_set1_epi8('\n');
  std::uint32_t* const begin = out;
  for (; size >= 64; size -= 64, data += 64, base += 64) {
    out = append_positions(_mm512_cmpeq_epi8_mask(_mm512_loadu_si512(data), newline), base, out);
  }
  const __mmask64 tail = _bzhi_u64(~0ULL, static_cast<unsigned>(size));
  std::uint64_t mask = _mm512_mask_cmpeq_epi8_mask(tail, _mm512_maskz_loadu_epi8(tail, data), newline);
  for (; mask != 0; mask = _blsr_u64(mask)) *out++ = base + static_cast<std::uint32_t>(_tzcnt_u64(mask));
  return static_cast<std::size_t>(out - begin);
}

}  // namespace logflume::newline_kernel

#endif
