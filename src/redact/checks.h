// What the detectors find in a text, by the prefilter and exact checks.
#pragma once

#include <string_view>
#include <vector>

#include "redact/detector.h"
#include "redact/prefilter.h"

namespace logflume::redact {

constexpr unsigned detector_bit(Detector detector) { return 1U << static_cast<unsigned>(detector); }

// Adds what these detectors (a bit each) find; a finding's number is that of its Detector. In no order, and
// they may overlap: each address and card is the first and longest from left to right, of tokens and keys all
// are given.
void find_all(std::string_view text, bool lines, unsigned detectors, std::vector<Finding>& found,
              const PrefilterKernel& kernel = best_prefilter_kernel());

// In order, and without those that begin in another one that counts.
void settle(std::vector<Finding>& found);

}  // namespace logflume::redact
