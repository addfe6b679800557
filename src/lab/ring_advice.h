#pragma once

#include <string>
#include <vector>

#include "lab/report.h"

namespace logflume {

// What follows from the figures of `lab ring`; `apart` is the pair of processors that are farthest apart.
std::vector<std::string> ring_advice(const LabReport& report, const std::string& apart);

}  // namespace logflume
