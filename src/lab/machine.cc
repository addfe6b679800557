#include "lab/machine.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>

#include "base/cores.h"
#include "base/units.h"

namespace logflume {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The value of the first line "KEY   : VALUE" of /proc/cpuinfo.
std::string cpu_info(std::string_view key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon == line.npos || !line.starts_with(key)) continue;
    const std::size_t value = line.find_first_not_of(" \t", colon + 1);
    return value == line.npos ? std::string() : line.substr(value);
  }
  return {};
}

std::string instruction_sets() {
  std::string names;
#if defined(__x86_64__)
  const auto add = [&names](bool supported, const char* name) {
    if (supported) names += (names.empty() ? "" : ", ") + std::string(name);
  };
  add(__builtin_cpu_supports("avx512bw"), "AVX-512");
  add(__builtin_cpu_supports("avx2"), "AVX2");
  if (names.empty()) add(__builtin_cpu_supports("sse4.2"), "SSE4.2");
#elif defined(__aarch64__)
  names = "NEON";
#endif
  return names;
}

std::vector<std::pair<std::string, std::uint64_t>> caches() {
  std::vector<std::pair<std::string, std::uint64_t>> found;
  for (int index = 0;; ++index) {
    const std::string at = fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}/", index);
    const std::string level = first_line(at + "level");
    if (level.empty()) return found;
    const std::string type = first_line(at + "type");
    if (type == "Instruction") continue;
    const auto size = parse_bytes(first_line(at + "size") + "iB");  // "512K"
    if (size) found.emplace_back("L" + level + (type == "Data" ? "d" : ""), *size);
  }
}

// What /proc/self/mountinfo says of the file system that this device number belongs to.
void find_mount(dev_t device, LabMachine& machine) {
  const std::string number = fmt::format("{}:{}", major(device), minor(device));
  std::ifstream file("/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string id, parent, this_number, skipped, source;
    fields >> id >> parent >> this_number;
    if (this_number != number) continue;
    while (fields >> skipped && skipped != "-") {
    }
    fields >> machine.file_system >> source;
    if (source.starts_with("/dev/")) machine.device = source.substr(5);
    return;
  }
}

}  // namespace

LabMachine this_machine(const std::string& directory) {
  LabMachine machine;
  machine.cpu = cpu_info("model name");
  machine.cores = static_cast<int>(affinity_cores());
  machine.instruction_sets = instruction_sets();
  machine.caches = caches();
  machine.memory_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                         static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  utsname kernel{};
  ::uname(&kernel);
  if (machine.cpu.empty()) machine.cpu = kernel.machine;
  machine.kernel = std::string(kernel.sysname) + " " + kernel.release;
  struct stat where {};
  if (!directory.empty() && ::stat(directory.c_str(), &where) == 0) find_mount(where.st_dev, machine);
  machine.virtualised = cpu_info("flags").find(" hypervisor") != std::string::npos;
  machine.load = std::strtod(first_line("/proc/loadavg").c_str(), nullptr);
  if (const auto quota = cpu_quota()) machine.cpu_quota = fmt::format("{:.3g} cores", *quota);
  return machine;
}

std::string LabMachine::text() const {
  std::string line = fmt::format("{}, {} core{}", cpu, cores, cores == 1 ? "" : "s");
  if (!cpu_quota.empty()) line += fmt::format(" (limited to {})", cpu_quota);
  if (!instruction_sets.empty()) line += ", " + instruction_sets;
  for (const auto& [name, bytes] : caches) line += fmt::format(", {} {}", name, format_bytes(bytes));
  line += fmt::format(", {} of memory, {}", human_bytes(static_cast<double>(memory_bytes)), kernel);
  if (!file_system.empty()) line += ", " + file_system + (device.empty() ? "" : " on " + device);
  if (virtualised) line += ", a virtual machine";
  return line + fmt::format(", load {:.2f} at the start", load);
}

}  // namespace logflume
