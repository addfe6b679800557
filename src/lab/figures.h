// The arithmetic between repetitions and a report: what each column's key means.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lab/experiment.h"
#include "lab/report.h"

namespace logflume {

// The smallest value that a share `q` of them does not exceed. REQUIRES: sorted, not empty.
double lab_quantile(const std::vector<std::uint32_t>& sorted, double q);

// Of one repetition, the value under `key` (lab/report.h); none where it was not measured or would be a
// division by nothing. "relative" is not of one repetition: see lab_relative(). REQUIRES: latencies_ns
// sorted.
std::optional<double> lab_value(const std::string& key, const LabWork& work, const LabUsage& usage);

// What "relative" compares: bytes a second, or operations where there are no bytes.
double lab_speed(const LabWork& work, const LabUsage& usage);

// Median (of an even number the mean of the two in the middle), lowest and highest. REQUIRES: not empty.
LabFigure lab_figure(std::vector<double> values);

// Fills the column "relative" of each row from its speeds, one for each repetition, against the best median
// of the row's group.
void lab_relative(LabReport& report, const std::vector<std::vector<double>>& speeds);

// Whether all repetitions of one were above all of the other: what advice may rest on.
bool lab_above(const LabFigure& figure, const LabFigure& other);

// "12 % faster than pread", "3.1 times as fast as pread", "8 % slower than pread": a rate beside another one.
// REQUIRES: both > 0.
std::string lab_faster_text(double rate, double than, const std::string& than_name);

}  // namespace logflume
