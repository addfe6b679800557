// A whole agent on simulated time and a simulated disk, through crashes: the real ledgers, checkpoints and
// file sink between a model of a source and a model of a remote sink, on one thread, with or without disk
// buffers before the sinks. The same seed gives the same run, call by call.
//
// What is checked:
//  (a) every line is delivered by every sink, or counted as discarded, once faults cease;
//  (b) the file sink's outputs hold each line exactly once, whole and in order, over any number of crashes;
//  (c) the remote sink delivers no line again once its acknowledgement was durable;
//  (d) received = sent + discarded + pending, of every sink, at every step;
//  (e) no buffer calls anything damaged or lost;
//  (f) once faults cease all is delivered in a bounded number of steps.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "simulation/simulated_disk.h"

namespace logflume {

struct SimulationOptions {
  std::uint64_t seed = 0;
  DiskModel disk;         // a disk that lies, to see that it is noticed
  bool buffered = false;  // sinks may have a disk buffer
  // Each step and each call to the disk, as a line.
  std::function<void(std::string_view)> trace;
  bool talks = false;  // the agent's own log goes to stderr
};

struct SimulationCounts {
  std::uint64_t steps = 0;
  std::uint64_t kills = 0;
  std::uint64_t power_losses = 0;
  std::uint64_t clean_stops = 0;
  std::uint64_t failed_starts = 0;
  std::uint64_t lines = 0;     // written to the log files
  std::uint64_t repeated = 0;  // by the file sink, where that was announced: its lengths could not be stored
  std::uint64_t disk_operations = 0;

  SimulationCounts& operator+=(const SimulationCounts& other);
};

struct SimulationReport : SimulationCounts {
  std::optional<std::string> failure;
};

SimulationReport simulate(const SimulationOptions& options);

}  // namespace logflume
