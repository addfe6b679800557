// What machine a measurement was made on.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace logflume {

struct LabMachine {
  std::string cpu;                                            // model, as /proc/cpuinfo names it
  int cores = 0;                                              // that this process may use
  std::string instruction_sets;                               // of those that matter here: "AVX-512, AVX2"
  std::vector<std::pair<std::string, std::uint64_t>> caches;  // {"L1d", bytes}
  std::uint64_t memory_bytes = 0;
  std::string kernel;       // "Linux 6.1.0"
  std::string file_system;  // of the experiment's directory: "ext4"
  std::string device;       // under it, as far as the kernel names it: "vda"
  bool virtualised = false;
  double load = 0;        // of the last minute, at the start
  std::string cpu_quota;  // of the control group: "1.5 cores"; empty: none

  // One line.
  std::string text() const;
};

// Of this machine; `directory` for the file system.
LabMachine this_machine(const std::string& directory);

}  // namespace logflume
