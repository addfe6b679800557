// How data that threads share may lie in memory, and what that costs.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "lab/experiment.h"

namespace logflume {

inline constexpr const char* kCounterWork = "bump counters";
inline constexpr const char* kRecordWork = "sum a field";

// Names that advice refers to.
inline constexpr const char* kPaddedCounters = "padded, a line each";
inline constexpr const char* kPackedCounters = "packed, one line for all";
inline constexpr const char* kSharedCounter = "one, atomic add";
inline constexpr const char* kPaddedRecords = "records of 64 bytes";
inline constexpr const char* kPackedRecords = "records of 24 bytes";
inline constexpr const char* kColumnRecords = "a column";

struct Layout {
  std::string work;
  std::string name;
  // A thread on each of these processors; an operation is an increment, or a record.
  Result<LabWork> (*run)(const std::vector<int>& processors, Duration time) = nullptr;
};

std::span<const Layout> layouts();

}  // namespace logflume
