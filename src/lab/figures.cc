#include "lab/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace logflume {
namespace {

std::optional<double> ratio(double value, double by) {
  if (!(by > 0)) return std::nullopt;
  return value / by;
}

std::optional<double> latency(const LabWork& work, double q) {
  if (work.latencies_ns.empty()) return std::nullopt;
  return lab_quantile(work.latencies_ns, q) / 1e9;
}

}  // namespace

double lab_quantile(const std::vector<std::uint32_t>& sorted, double q) {
  const double rank = std::ceil(q * static_cast<double>(sorted.size()));
  const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  return sorted[std::min(index, sorted.size() - 1)];
}

std::optional<double> lab_value(const std::string& key, const LabWork& work, const LabUsage& usage) {
  const auto bytes = static_cast<double>(work.bytes);
  const auto operations = static_cast<double>(work.operations);
  const auto calls = static_cast<double>(work.system_calls);
  const auto switches = static_cast<double>(usage.voluntary + usage.involuntary);
  const auto faults = static_cast<double>(usage.faults);
  for (const auto& [name, value] : work.others) {
    if (name == key) return value;
  }
  if (key == "rate" && work.bytes > 0) return ratio(bytes, usage.seconds);
  if (key == "operations" && work.operations > 0) return ratio(operations, usage.seconds);
  if (key == "time") return ratio(usage.seconds, operations);
  if (key == "p50") return latency(work, 0.5);
  if (key == "p99") return latency(work, 0.99);
  if (key == "p999") return latency(work, 0.999);
  if (key == "cpu") return ratio(usage.cpu_seconds, bytes / 1e9);
  if (key == "cpu_percent") return ratio(usage.cpu_seconds * 100, usage.seconds);
  if (key == "cpu_time") return ratio(usage.cpu_seconds, operations);
  if (key == "system_calls") return calls;
  if (key == "calls_per_mb") return ratio(calls, bytes / 1e6);
  if (key == "calls_per_operation") return ratio(calls, operations);
  if (key == "switches") return switches;
  if (key == "voluntary") return static_cast<double>(usage.voluntary);
  if (key == "involuntary") return static_cast<double>(usage.involuntary);
  if (key == "switches_per_gb") return ratio(switches, bytes / 1e9);
  if (key == "faults") return faults;
  if (key == "faults_per_gb") return ratio(faults, bytes / 1e9);
  if (key == "major_faults") return static_cast<double>(usage.major_faults);
  return std::nullopt;
}

double lab_speed(const LabWork& work, const LabUsage& usage) {
  const auto done = static_cast<double>(work.bytes > 0 ? work.bytes : work.operations);
  return ratio(done, usage.seconds).value_or(0);
}

LabFigure lab_figure(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  return {median, values.front(), values.back()};
}

void lab_relative(LabReport& report, const std::vector<std::vector<double>>& speeds) {
  std::map<std::string, double> best;
  for (std::size_t row = 0; row < report.rows.size(); ++row) {
    if (speeds[row].empty()) continue;
    double& group = best[report.rows[row].group];
    group = std::max(group, lab_figure(speeds[row]).median);
  }
  for (std::size_t column = 0; column < report.columns.size(); ++column) {
    if (report.columns[column].key != "relative") continue;
    for (std::size_t row = 0; row < report.rows.size(); ++row) {
      const double group = best[report.rows[row].group];
      if (speeds[row].empty() || !(group > 0)) continue;
      const LabFigure speed = lab_figure(speeds[row]);
      report.rows[row].figures[column] =
          LabFigure{speed.median / group, speed.low / group, speed.high / group};
    }
  }
}

bool lab_above(const LabFigure& figure, const LabFigure& other) { return figure.low > other.high; }

std::string lab_faster_text(double rate, double than, const std::string& than_name) {
  if (rate >= 2 * than) return fmt::format("{:.1f} times as fast as {}", rate / than, than_name);
  if (rate >= than) return fmt::format("{:.0f} % faster than {}", (rate / than - 1) * 100, than_name);
  return fmt::format("{:.0f} % slower than {}", (1 - rate / than) * 100, than_name);
}

}  // namespace logflume
