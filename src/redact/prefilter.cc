#include "redact/prefilter.h"

#include <algorithm>
#include <cstring>

#include "redact/bytes.h"
#include "redact/prefilter_kernels.h"
#include "redact/rules.h"

namespace logflume::redact {
namespace prefilter_kernel {
namespace {

// What a byte is, a bit for each mask.
enum : std::uint8_t { kIsDigit = 1, kIsDot = 2, kIsColon = 4, kIsAt = 8, kIsBlank = 16, kIsWord = 32 };
constexpr std::array<std::uint8_t, 256> kMasks = [] {
  std::array<std::uint8_t, 256> masks{};
  for (std::size_t c = '0'; c <= '9'; ++c) masks[c] = kIsDigit;
  masks['.'] = kIsDot;
  masks[':'] = kIsColon;
  masks['@'] = kIsAt;
  masks[' '] = masks['-'] = kIsBlank;
  return masks;
}();

// Of eight bytes, as a matrix of eight rows of bits, columns become rows.
std::uint64_t transposed(std::uint64_t rows) {
  const auto swap = [&rows](std::uint64_t bits, unsigned distance) {
    const std::uint64_t other = (rows ^ rows >> distance) & bits;
    rows ^= other ^ other << distance;
  };
  swap(0x00AA00AA00AA00AA, 7);
  swap(0x0000CCCC0000CCCC, 14);
  swap(0x00000000F0F0F0F0, 28);
  return rows;
}

}  // namespace

void classify_portable(const char* data, std::size_t blocks, ByteMasks& masks, std::size_t first) {
  const RuleTables& tables = rule_tables();
  const auto* bytes = reinterpret_cast<const unsigned char*>(data);
  for (std::size_t block = first; block < first + blocks; ++block) {
    std::uint64_t digit = 0, dot = 0, colon = 0, at = 0, blank = 0, word = 0;
    for (unsigned begin = 0; begin < kBlockBytes; begin += 8, bytes += 8) {
      std::uint64_t rows = 0;
      for (unsigned i = 0; i < 8; ++i) {
        const unsigned buckets = tables.whole[0][bytes[i]] & tables.whole[1][bytes[i + 1]] &
                                 tables.whole[2][bytes[i + 2]] & tables.whole[3][bytes[i + 3]];
        const std::uint64_t is = kMasks[bytes[i]] | (buckets != 0 ? kIsWord : 0);
        rows |= is << (8 * i);
      }
      rows = transposed(rows);
      digit |= (rows & 255) << begin;
      dot |= (rows >> 8 & 255) << begin;
      colon |= (rows >> 16 & 255) << begin;
      at |= (rows >> 24 & 255) << begin;
      blank |= (rows >> 32 & 255) << begin;
      word |= (rows >> 40 & 255) << begin;
    }
    masks.digit[block] = digit;
    masks.dot[block] = dot;
    masks.colon[block] = colon;
    masks.at[block] = at;
    masks.blank[block] = blank;
    masks.word[block] = word;
  }
}

void combine_portable(const ByteMasks& masks, std::size_t blocks, NumberMasks& numbers) {
  combine(masks, blocks, numbers);
}

}  // namespace prefilter_kernel

std::span<const PrefilterKernel> prefilter_kernels() {
  using namespace prefilter_kernel;
#if defined(__x86_64__)
  static const std::array kernels = [] {
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2");
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
    return std::array{PrefilterKernel{"avx512bw", avx512, classify_avx512, combine_avx512},
                      PrefilterKernel{"avx2", avx2, classify_avx2, combine_avx2},
                      PrefilterKernel{"portable", true, classify_portable, combine_portable}};
  }();
#else
  static constexpr std::array kernels{PrefilterKernel{"portable", true, classify_portable, combine_portable}};
#endif
  return kernels;
}

const PrefilterKernel& best_prefilter_kernel() {
  static const PrefilterKernel& best =
      *std::ranges::find_if(prefilter_kernels(), &PrefilterKernel::supported);
  return best;
}

// The next part of the text. The last block of the one before waited for it, and goes first.
bool CandidateScan::refill() {
  if (ready_ == last_ && classified_ >= text_.size()) return false;
  const auto each = [this](const auto& change) {
    for (BlockBits* const bits :
         {&masks_.digit, &masks_.dot, &masks_.colon, &masks_.at, &masks_.blank, &masks_.word})
      change(*bits);
  };
  std::size_t next = 1;
  if (last_ == 0) {
    masks_.digit[0] = 0;
  } else {
    each([this](BlockBits& bits) {
      bits[0] = bits[last_ - 1];
      bits[1] = bits[last_];
    });
    begin_ += (last_ - 1) * kBlockBytes;
    next = 2;
  }
  constexpr std::size_t kBehind = RuleTables::kBytes - 1;
  const std::size_t left = text_.size() - classified_;
  const std::size_t whole = left > kBehind ? (left - kBehind) / kBlockBytes : 0;
  const std::size_t blocks = std::min(whole, kBlocksMax + 1 - next);
  kernel_.classify(text_.data() + classified_, blocks, masks_, next);
  next += blocks;
  classified_ += blocks * kBlockBytes;
  const std::size_t rest = text_.size() - classified_;
  const std::size_t last_blocks = (rest + kBlockBytes - 1) / kBlockBytes;
  const bool ends = blocks == whole && next + last_blocks <= kBlocksMax + 1;
  if (ends && rest > 0) {
    // The end, with zeros behind it.
    std::array<char, 2 * kBlockBytes + kBehind> copy{};
    std::memcpy(copy.data(), text_.data() + classified_, rest);
    kernel_.classify(copy.data(), last_blocks, masks_, next);
    next += last_blocks;
    classified_ = text_.size();
  }
  each([next](BlockBits& bits) {
    std::fill_n(bits.begin() + static_cast<std::ptrdiff_t>(next), kBlocksAtOnce, 0);
  });
  last_ = next - 1;
  ready_ = ends ? last_ : last_ - 1;
  at_ = 1;
  kernel_.combine(masks_, ready_, numbers_);
  return true;
}

bool CandidateScan::next(std::size_t& base, Candidates& found) {
  for (;; ++at_) {
    while (at_ <= ready_ && numbers_.any[at_] == 0) ++at_;
    if (at_ <= ready_) break;
    if (!refill()) return false;
    --at_;
  }
  found = {masks_.at[at_], numbers_.ipv4[at_], numbers_.ipv6[at_], numbers_.card[at_], masks_.word[at_]};
  base = begin_ + (at_ - 1) * kBlockBytes;
  ++at_;
  return true;
}

}  // namespace logflume::redact
