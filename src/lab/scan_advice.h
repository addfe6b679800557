#pragma once

#include <string>
#include <vector>

#include "lab/report.h"

namespace logflume {

// What follows from the figures of `lab scan`.
std::vector<std::string> scan_advice(const LabReport& report);

}  // namespace logflume
