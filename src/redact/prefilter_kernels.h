// The kernels of the prefilter, one set for each instruction set. Internal to prefilter.cc.
#pragma once

#include <cstring>

#include "redact/prefilter.h"

namespace logflume::redact::prefilter_kernel {

void classify_portable(const char* data, std::size_t blocks, ByteMasks& masks, std::size_t first);
void combine_portable(const ByteMasks& masks, std::size_t blocks, NumberMasks& numbers);

#if defined(__x86_64__)
// REQUIRES: the processor has AVX2.
void classify_avx2(const char* data, std::size_t blocks, ByteMasks& masks, std::size_t first);
void combine_avx2(const ByteMasks& masks, std::size_t blocks, NumberMasks& numbers);
// REQUIRES: the processor has AVX-512F and AVX-512BW.
void classify_avx512(const char* data, std::size_t blocks, ByteMasks& masks, std::size_t first);
void combine_avx512(const ByteMasks& masks, std::size_t blocks, NumberMasks& numbers);
#endif

// Eight blocks at once, in the compiler's own vector type: whatever the function that it is inlined into is
// compiled for.
using Blocks [[gnu::vector_size(sizeof(std::uint64_t) * kBlocksAtOnce)]] = std::uint64_t;

// Bits of blocks and of those behind them, as numbers of 128 bits: what is looked for ends at most 15 bytes
// on.
struct WideBlocks {
  Blocks low;
  Blocks high;

  // Bit i is what bit i + kCount was.
  template <unsigned kCount>
  [[gnu::always_inline]] WideBlocks ahead() const {
    return {low >> kCount | high << (kBlockBytes - kCount), high >> kCount};
  }
};
[[gnu::always_inline]] inline WideBlocks both(const WideBlocks& a, const WideBlocks& b) {
  return {a.low & b.low, a.high & b.high};
}
[[gnu::always_inline]] inline WideBlocks either(const WideBlocks& a, const WideBlocks& b) {
  return {a.low | b.low, a.high | b.high};
}
// There is one at a distance of 2 to 4, and so on.
[[gnu::always_inline]] inline WideBlocks within_4(const WideBlocks& bits) {
  return either(either(bits.ahead<2>(), bits.ahead<3>()), bits.ahead<4>());
}
[[gnu::always_inline]] inline WideBlocks within_5(const WideBlocks& bits) {
  return either(within_4(bits), bits.ahead<5>());
}

// Vectors are neither given nor returned: how they would be depends on the instruction set.
[[gnu::always_inline]] inline void load(const BlockBits& bits, std::size_t index, Blocks& loaded) {
  std::memcpy(&loaded, bits.data() + index, sizeof loaded);
}
[[gnu::always_inline]] inline void load(const BlockBits& bits, std::size_t index, WideBlocks& loaded) {
  load(bits, index, loaded.low);
  load(bits, index + 1, loaded.high);
}
[[gnu::always_inline]] inline void store(const Blocks& made, std::size_t index, BlockBits& bits) {
  std::memcpy(bits.data() + index, &made, sizeof made);
}

[[gnu::always_inline]] inline void combine(const ByteMasks& masks, std::size_t blocks, NumberMasks& numbers) {
  for (std::size_t i = 1; i <= blocks; i += kBlocksAtOnce) {
    WideBlocks digit, dot, colon, separator;
    Blocks before, at, word;
    load(masks.digit, i, digit);
    load(masks.digit, i - 1, before);
    load(masks.dot, i, dot);
    load(masks.colon, i, colon);
    load(masks.blank, i, separator);
    load(masks.at, i, at);
    load(masks.word, i, word);
    const WideBlocks behind_digit = {digit.low << 1 | before >> (kBlockBytes - 1),
                                     digit.high << 1 | digit.low >> (kBlockBytes - 1)};
    const WideBlocks dots = both(dot, behind_digit);
    const Blocks ipv4 = both(dots, within_4(both(dots, within_4(dots)))).low;

    const WideBlocks chain = both(colon, within_5(both(colon, within_5(both(colon, within_5(colon))))));
    const Blocks ipv6 = either(both(colon, colon.ahead<1>()), chain).low;

    const WideBlocks two = both(digit, digit.ahead<1>()), four = both(two, two.ahead<2>());
    const WideBlocks eight = both(four, four.ahead<4>()), thirteen = both(eight, eight.ahead<5>());
    separator = either(separator, dot);
    const WideBlocks groups = both(four, both(separator.ahead<4>(), four.ahead<5>()));
    const Blocks card = (thirteen.low | groups.low) & ~behind_digit.low;

    store(ipv4, i, numbers.ipv4);
    store(ipv6, i, numbers.ipv6);
    store(card, i, numbers.card);
    store(ipv4 | ipv6 | card | at | word, i, numbers.any);
  }
}

}  // namespace logflume::redact::prefilter_kernel
