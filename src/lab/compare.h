// Which of two figures is more, when each has a spread: advice says nothing of what noise could explain.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lab/report.h"

namespace logflume {

// How many times `other` the figure is, by the medians. None where the difference is within the spread: one
// of the medians is among the other's repetitions.
std::optional<double> times(const LabFigure& figure, const LabFigure& other);

// "12 % less", "2.5x as much", from a ratio such as 0.88 or 2.5.
std::string ratio_text(double ratio);

// Looks for rows by what their settings say. Settings that are not given may be anything.
class LabRows {
 public:
  explicit LabRows(const LabReport& report) : report_(report) {}

  // Of the first row with these settings, each a (title, value) pair: its figure under `key`.
  std::optional<LabFigure> figure(const std::vector<std::pair<std::string, std::string>>& settings,
                                  const std::string& key) const;
  bool matches(const LabRow& row, const std::vector<std::pair<std::string, std::string>>& settings) const;
  // The distinct values of a setting, in the order of the rows that match.
  std::vector<std::string> values(
      const std::string& title, const std::vector<std::pair<std::string, std::string>>& settings = {}) const;

 private:
  std::size_t index_of(const std::string& title) const;
  const LabReport& report_;
};

// A plot of the median of `key`: along x the values of one setting, a series for each value of another, of
// the rows with `settings`. Numbers along x are in their order, other values in that of the rows.
LabPlot plot_of(const LabReport& report, const std::string& key, const std::string& x_setting,
                const std::string& series_setting,
                const std::vector<std::pair<std::string, std::string>>& settings);

}  // namespace logflume
