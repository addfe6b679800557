#include "base/head_pattern.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/head_syntax.h"

namespace logflume {
namespace {

using Range = std::pair<unsigned char, unsigned char>;  // the first and the last

std::vector<Range> ranges_of(const std::bitset<256>& members) {
  std::vector<Range> ranges;
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (!members.test(byte)) continue;
    const unsigned first = byte;
    while (byte < 255 && members.test(byte + 1)) ++byte;
    ranges.emplace_back(static_cast<unsigned char>(first), static_cast<unsigned char>(byte));
  }
  return ranges;
}

}  // namespace

HeadPattern HeadPattern::of(std::string_view pattern) {
  HeadPattern made;
  const std::optional<HeadSyntax> syntax = parse_head(pattern, kBytes);
  if (!syntax) return made;
  bool exact = syntax->exact;
  for (const HeadByte& byte : syntax->bytes) {
    const std::vector<Range> ranges = ranges_of(byte.members);
    if (ranges.empty() || ranges.size() > kRangesMax) {
      exact = false;
      break;
    }
    const std::size_t lane = made.lanes_++;
    for (std::size_t i = 0; i < kRangesMax; ++i) {
      const auto [first, last] = ranges[std::min(i, ranges.size() - 1)];
      made.low_[i][lane] = first;
      made.width_[i][lane] = static_cast<unsigned char>(last - first);
    }
    made.ranges_ = std::max(made.ranges_, ranges.size());
    made.used_[lane] = 0xFF;
    made.wide_[lane] = byte.wide ? 0xFF : 0;
    made.has_wide_ |= byte.wide;
  }
  if (exact) made.sure_ = Answer::kYes;
  return made;
}

// Behind a character of several bytes the lanes say nothing any more.
HeadPattern::Answer HeadPattern::look_slowly(Bytes fails, Bytes beyond) const {
  for (std::size_t lane = 0; lane < lanes_; ++lane) {
    if (fails[lane] != 0) return Answer::kNo;
    if (beyond[lane] != 0) return Answer::kAsk;
  }
  return sure_;
}

}  // namespace logflume
