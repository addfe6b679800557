// fio, run as a second opinion: the command that does what a case of `lab io` does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "lab/experiment.h"

namespace logflume {

struct FioJob {
  std::string engine;                // "psync"
  std::vector<std::string> options;  // of the engine
  std::size_t files = 1;
  std::uint64_t file_bytes = 0;
  std::size_t block_bytes = 0;
  bool random = false;
  bool direct = false;
  bool again = false;  // from the beginning when all was read
  unsigned in_flight = 1;
  Duration time{};
};

bool fio_installed();

// For a shell. Makes its own files where it is run.
std::string fio_command(const FioJob& job);

// Runs it on the files NAME.0, NAME.1 ... of `directory`. Usage and quantiles ("p50", "p99", "p999") are what
// fio says of its run. Errors: it cannot be run, it failed, or what it printed is not understood.
Result<LabWork> run_fio(const FioJob& job, const std::string& directory, const std::string& name);

// Reads a second beside fio's, as a ratio, when fio takes `overhead_seconds` for each read itself. None where
// nothing would be left.
std::optional<LabFigure> fio_ratio(const LabFigure& own, const LabFigure& other, double overhead_seconds);

}  // namespace logflume
