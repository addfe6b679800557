// How many cores this process may use.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace logflume {

// Cores that it may run on.
std::size_t affinity_cores();

// These, or fewer where its control group has a quota: rounded up, at least
// 1. Asks the system each time.
std::size_t usable_cores();

// The quota of a control group (version 2, `cpu.max`), in cores: "150000 100000" is 1.5; none for "max
// 100000" and for what cannot be read.
std::optional<double> parse_cpu_max(std::string_view text);
// Of this process's control group, the smallest on the way up; with version 1 that of the group mounted as
// the root of a container; none without one.
std::optional<double> cpu_quota();

}  // namespace logflume
