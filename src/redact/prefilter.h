// Where in a text something may be found: one pass over all of it, by SIMD, for all detectors at once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace logflume::redact {

constexpr std::size_t kBlockBytes = 64;

// 4 KiB of text at a time: what is known of them stays in the first cache.
constexpr std::size_t kBlocksMax = 64;
// A bit for each byte of each block. Behind the block before the first one, and with zeros behind the last
// one, so that whole vectors of blocks can be computed.
constexpr std::size_t kBlocksAtOnce = 8;
using BlockBits = std::array<std::uint64_t, 1 + kBlocksMax + kBlocksAtOnce>;

// Which bytes are what.
struct ByteMasks {
  BlockBits digit;
  BlockBits dot;
  BlockBits colon;
  BlockBits at;
  BlockBits blank;  // and '-'
  BlockBits word;   // a fingerprint of a rule begins (rules.h)
};
// Where numbers may begin.
struct NumberMasks {
  BlockBits ipv4;
  BlockBits ipv6;
  BlockBits card;
  BlockBits any;  // of these, or an @ or a word
};

// Places of a block that are worth a look: what is found is at one of them, most of them are nothing.
struct Candidates {
  std::uint64_t at;    // an @
  std::uint64_t ipv4;  // a dot behind a digit, with two more of them as near as they are in an address
  std::uint64_t ipv6;  // two colons in a row, or the first of four as near as they are in an address
  std::uint64_t card;  // the first digit of 13, or of two groups of four
  std::uint64_t word;
};

// The kernels, best first, for tests and benchmarks: each must be as the others. The portable one is last.
struct PrefilterKernel {
  std::string_view name;
  bool supported;  // by this processor
  // The bytes of so many blocks, the first of them to index `first`.
  // REQUIRES: kBlockBytes * `blocks` bytes and three more may be read.
  void (*classify)(const char* data, std::size_t blocks, ByteMasks& masks, std::size_t first);
  // From index 1 on, so many blocks, or some more.
  void (*combine)(const ByteMasks& masks, std::size_t blocks, NumberMasks& numbers);
};
std::span<const PrefilterKernel> prefilter_kernels();
const PrefilterKernel& best_prefilter_kernel();

// The blocks of a text that have candidates, one after the other.
//
// Threads: one. The text stays, and nothing outside of it is read.
class CandidateScan {
 public:
  explicit CandidateScan(std::string_view text, const PrefilterKernel& kernel = best_prefilter_kernel())
      : text_(text), kernel_(kernel) {}

  // False at the end. `base`: where the block begins.
  bool next(std::size_t& base, Candidates& found);

 private:
  bool refill();

  const std::string_view text_;
  const PrefilterKernel& kernel_;
  std::size_t classified_ = 0;  // bytes of the text
  std::size_t last_ = 0;        // the index of the last block that is classified
  std::size_t ready_ = 0;       // that of the last one whose candidates are known
  std::size_t at_ = 1;          // that of the next one to give
  std::size_t begin_ = 0;       // where that of index 1 begins
  ByteMasks masks_;
  NumberMasks numbers_;
};

}  // namespace logflume::redact
