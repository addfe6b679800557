#include "redact/prefilter_kernels.h"
#include "redact/rules.h"

#if defined(__x86_64__)

#include <immintrin.h>

// Only these functions are compiled for the newer instruction sets: the rest of the program still starts on
// any x86-64.
#define LOGFLUME_AVX2 [[gnu::target("avx2")]]
#define LOGFLUME_AVX512 [[gnu::target("avx512f,avx512bw")]]

namespace logflume::redact::prefilter_kernel {
namespace {

LOGFLUME_AVX2 inline __m256i load256(const char* data) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data));
}
LOGFLUME_AVX2 inline std::uint64_t bits256(__m256i low, __m256i high) {
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(low)) |
         static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm256_movemask_epi8(high))) << 32;
}
LOGFLUME_AVX2 inline __m256i table256(const std::array<std::uint8_t, 16>& table) {
  return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table.data())));
}
// The buckets of each byte. A shuffle takes the lower half of a byte, and gives 0 for one that is not ASCII.
LOGFLUME_AVX2 inline __m256i buckets256(const char* data, __m256i low, __m256i high) {
  const __m256i bytes = load256(data);
  const __m256i upper = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(15));
  return _mm256_and_si256(_mm256_shuffle_epi8(low, bytes), _mm256_shuffle_epi8(high, upper));
}

LOGFLUME_AVX512 inline __m512i table512(const std::array<std::uint8_t, 16>& table) {
  // With a mask of all: GCC 12 takes the one without for a use of what was not set.
  return _mm512_maskz_broadcast_i32x4(0xFFFF, _mm_load_si128(reinterpret_cast<const __m128i*>(table.data())));
}
LOGFLUME_AVX512 inline __m512i buckets512(__m512i bytes, __m512i low, __m512i high) {
  const __m512i upper = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), _mm512_set1_epi8(15));
  return _mm512_and_si512(_mm512_shuffle_epi8(low, bytes), _mm512_shuffle_epi8(high, upper));
}

}  // namespace

LOGFLUME_AVX2 void classify_avx2(const char* data, std::size_t blocks, ByteMasks& masks, std::size_t first) {
  const RuleTables& tables = rule_tables();
  __m256i low[RuleTables::kBytes], high[RuleTables::kBytes];
  for (std::size_t i = 0; i < RuleTables::kBytes; ++i) {
    low[i] = table256(tables.low[i]);
    high[i] = table256(tables.high[i]);
  }
  const __m256i zero = _mm256_setzero_si256();
  const __m256i dot = _mm256_set1_epi8('.'), colon = _mm256_set1_epi8(':'), at = _mm256_set1_epi8('@');
  const __m256i blank = _mm256_set1_epi8(' '), hyphen = _mm256_set1_epi8('-');
  const __m256i first_digit = _mm256_set1_epi8('0'), nine = _mm256_set1_epi8(9);
  for (std::size_t i = first; i < first + blocks; ++i, data += kBlockBytes) {
    const __m256i a = load256(data), b = load256(data + 32);
    const __m256i digit_a = _mm256_sub_epi8(a, first_digit), digit_b = _mm256_sub_epi8(b, first_digit);
    masks.digit[i] = bits256(_mm256_cmpeq_epi8(_mm256_min_epu8(digit_a, nine), digit_a),
                             _mm256_cmpeq_epi8(_mm256_min_epu8(digit_b, nine), digit_b));
    masks.dot[i] = bits256(_mm256_cmpeq_epi8(a, dot), _mm256_cmpeq_epi8(b, dot));
    masks.colon[i] = bits256(_mm256_cmpeq_epi8(a, colon), _mm256_cmpeq_epi8(b, colon));
    masks.at[i] = bits256(_mm256_cmpeq_epi8(a, at), _mm256_cmpeq_epi8(b, at));
    masks.blank[i] = bits256(_mm256_or_si256(_mm256_cmpeq_epi8(a, blank), _mm256_cmpeq_epi8(a, hyphen)),
                             _mm256_or_si256(_mm256_cmpeq_epi8(b, blank), _mm256_cmpeq_epi8(b, hyphen)));
    __m256i found_a = buckets256(data, low[0], high[0]), found_b = buckets256(data + 32, low[0], high[0]);
    for (std::size_t place = 1; place < RuleTables::kBytes; ++place) {
      found_a = _mm256_and_si256(found_a, buckets256(data + place, low[place], high[place]));
      found_b = _mm256_and_si256(found_b, buckets256(data + place + 32, low[place], high[place]));
    }
    masks.word[i] = ~bits256(_mm256_cmpeq_epi8(found_a, zero), _mm256_cmpeq_epi8(found_b, zero));
  }
}

LOGFLUME_AVX2 void combine_avx2(const ByteMasks& masks, std::size_t blocks, NumberMasks& numbers) {
  combine(masks, blocks, numbers);
}

LOGFLUME_AVX512 void classify_avx512(const char* data, std::size_t blocks, ByteMasks& masks,
                                     std::size_t first) {
  const RuleTables& tables = rule_tables();
  __m512i low[RuleTables::kBytes], high[RuleTables::kBytes];
  for (std::size_t i = 0; i < RuleTables::kBytes; ++i) {
    low[i] = table512(tables.low[i]);
    high[i] = table512(tables.high[i]);
  }
  const __m512i dot = _mm512_set1_epi8('.'), colon = _mm512_set1_epi8(':'), at = _mm512_set1_epi8('@');
  const __m512i blank = _mm512_set1_epi8(' '), hyphen = _mm512_set1_epi8('-');
  const __m512i first_digit = _mm512_set1_epi8('0'), nine = _mm512_set1_epi8(9);
  for (std::size_t i = first; i < first + blocks; ++i, data += kBlockBytes) {
    const __m512i bytes = _mm512_loadu_si512(data);
    masks.digit[i] = _mm512_cmple_epu8_mask(_mm512_sub_epi8(bytes, first_digit), nine);
    masks.dot[i] = _mm512_cmpeq_epi8_mask(bytes, dot);
    masks.colon[i] = _mm512_cmpeq_epi8_mask(bytes, colon);
    masks.at[i] = _mm512_cmpeq_epi8_mask(bytes, at);
    masks.blank[i] = _mm512_cmpeq_epi8_mask(bytes, blank) | _mm512_cmpeq_epi8_mask(bytes, hyphen);
    __m512i found = buckets512(bytes, low[0], high[0]);
    for (std::size_t place = 1; place < RuleTables::kBytes; ++place)
      found = _mm512_and_si512(found, buckets512(_mm512_loadu_si512(data + place), low[place], high[place]));
    masks.word[i] = _mm512_test_epi8_mask(found, found);
  }
}

LOGFLUME_AVX512 void combine_avx512(const ByteMasks& masks, std::size_t blocks, NumberMasks& numbers) {
  combine(masks, blocks, numbers);
}

}  // namespace logflume::redact::prefilter_kernel

#endif
