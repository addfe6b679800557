// What the figures of `lab io` mean for whoever configures an agent.
#pragma once

#include <cstddef>
#include <string>

#include "lab/report.h"

namespace logflume {

inline constexpr std::size_t kIoAgentBytes = 256 * 1024;  // what the agent reads at once
inline constexpr const char* kIoFioPrefix = "  fio: ";    // before the way that a row of fio's stands beside

// Plots and advice.
void conclude_io(LabReport& report);

}  // namespace logflume
