// Ways to find where lines end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "lab/experiment.h"

namespace logflume {

inline constexpr const char* kCountWork = "count lines";
inline constexpr const char* kIndexWork = "index lines";

struct Scanner {
  std::string work;  // kCountWork, kIndexWork, or what one could not do less than
  std::string by;
  // Goes over the text once; what it found, to compare. `positions` has room for one an each byte.
  std::size_t (*run)(std::string_view text, std::vector<std::uint32_t>& positions) = nullptr;
};

// Those that this processor can run, logflume's kernels first, the best of them first.
std::span<const Scanner> scanners();

// A slab's worth of log lines, of half to one and a half of `line_bytes`, so that a branch predictor learns
// nothing.
class ScanText {
 public:
  explicit ScanText(std::size_t line_bytes);
  // It begins at a cache line, or one byte behind.
  std::string_view text(bool aligned) const { return {begin_ + (aligned ? 0 : 1), size_}; }
  std::size_t lines() const { return lines_; }

 private:
  std::string memory_;
  const char* begin_ = nullptr;
  std::size_t size_ = 0;
  std::size_t lines_ = 0;
};

// An operation is a line. Errors: kCorrupt when the scanner did not find them all.
Result<LabWork> scan(const Scanner& scanner, const ScanText& text, bool aligned, Duration time);

}  // namespace logflume
