#include "lab/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace logflume {

std::optional<double> times(const LabFigure& figure, const LabFigure& other) {
  if (figure.median <= 0 || other.median <= 0) return std::nullopt;
  const auto within = [](double value, const LabFigure& of) { return value >= of.low && value <= of.high; };
  if (within(figure.median, other) || within(other.median, figure)) return std::nullopt;
  return figure.median / other.median;
}

std::string ratio_text(double ratio) {
  if (ratio >= 2) return fmt::format("{:.{}f}x as much", ratio, ratio < 10 ? 1 : 0);
  if (ratio >= 1) return fmt::format("{:.0f} % more", (ratio - 1) * 100);
  return fmt::format("{:.0f} % less", (1 - ratio) * 100);
}

std::size_t LabRows::index_of(const std::string& title) const {
  const auto found = std::ranges::find(report_.settings, title);
  return static_cast<std::size_t>(found - report_.settings.begin());
}

bool LabRows::matches(const LabRow& row,
                      const std::vector<std::pair<std::string, std::string>>& settings) const {
  return std::ranges::all_of(settings, [&](const auto& setting) {
    const std::size_t index = index_of(setting.first);
    return index < row.settings.size() && row.settings[index] == setting.second;
  });
}

std::optional<LabFigure> LabRows::figure(const std::vector<std::pair<std::string, std::string>>& settings,
                                         const std::string& key) const {
  for (std::size_t i = 0; i < report_.rows.size(); ++i) {
    if (matches(report_.rows[i], settings)) return report_.figure(i, key);
  }
  return std::nullopt;
}

std::vector<std::string> LabRows::values(
    const std::string& title, const std::vector<std::pair<std::string, std::string>>& settings) const {
  std::vector<std::string> all;
  const std::size_t index = index_of(title);
  for (const LabRow& row : report_.rows) {
    if (index >= row.settings.size() || !matches(row, settings)) continue;
    if (std::ranges::find(all, row.settings[index]) == all.end()) all.push_back(row.settings[index]);
  }
  return all;
}

LabPlot plot_of(const LabReport& report, const std::string& key, const std::string& x_setting,
                const std::string& series_setting,
                const std::vector<std::pair<std::string, std::string>>& settings) {
  const LabRows rows(report);
  LabPlot plot;
  plot.x_title = x_setting;
  plot.labels = rows.values(x_setting, settings);
  const auto is_number = [](const std::string& label) {
    return !label.empty() && label.size() < 18 && label.find_first_not_of("0123456789") == std::string::npos;
  };
  if (std::ranges::all_of(plot.labels, is_number)) {
    std::ranges::sort(plot.labels, {}, [](const std::string& label) { return std::stoull(label); });
  }
  for (const std::string& name : rows.values(series_setting, settings)) {
    LabPlot::Series series{.name = name, .values = {}};
    for (const std::string& label : plot.labels) {
      std::vector<std::pair<std::string, std::string>> wanted = settings;
      wanted.emplace_back(x_setting, label);
      wanted.emplace_back(series_setting, name);
      const std::optional<LabFigure> figure = rows.figure(wanted, key);
      series.values.push_back(figure ? std::optional(figure->median) : std::nullopt);
    }
    plot.series.push_back(std::move(series));
  }
  return plot;
}

}  // namespace logflume
