#include "base/cores.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <string>

namespace logflume {
namespace {

constexpr std::string_view kRoot = "/sys/fs/cgroup";

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Of version 2, whose line begins so; empty without one.
std::string control_group() {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("0::")) return line.substr(3);
  }
  return {};
}

}  // namespace

std::optional<double> parse_cpu_max(std::string_view text) {
  double quota = 0, period = 0;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, quota);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ' ') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, period);
  if (second.ec != std::errc() || quota <= 0 || period <= 0) return std::nullopt;
  return quota / period;
}

std::size_t affinity_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int cores = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return static_cast<std::size_t>(std::max(cores, 1));
}

std::optional<double> cpu_quota() {
  std::string version_1 = first_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  version_1 += ' ';
  version_1 += first_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  std::optional<double> smallest = parse_cpu_max(version_1);
  // In a container its own group may be mounted as the root: then the path from outside is not there.
  for (std::string group = control_group();; group.resize(group.rfind('/'))) {
    if (group == "/") group.clear();
    const auto quota = parse_cpu_max(first_line(std::string(kRoot) + group + "/cpu.max"));
    if (quota && (!smallest || *quota < *smallest)) smallest = quota;
    if (group.empty() || group.rfind('/') == std::string::npos) return smallest;
  }
}

std::size_t usable_cores() {
  const std::size_t cores = affinity_cores();
  const auto quota = cpu_quota();
  if (!quota) return cores;
  return std::min(cores, static_cast<std::size_t>(std::ceil(std::min(*quota, 1e6))));
}

}  // namespace logflume
