// Measures what matters on the user's own log files: `logflume tune`. Reads them only, and a bounded part of
// them.
#pragma once

#include <functional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "lab/recommend.h"
#include "lab/user_files.h"

namespace logflume {

struct TuneOptions {
  bool thorough = false;
  Duration watch = 3s;         // how long at least the files are watched growing
  std::function<bool()> stop;  // asked between measurements
  std::function<void(const std::string& what, double done)> progress;
};

// What is read of the files at most. Read modes go over the same bytes again and again.
constexpr std::uint64_t kTuneReadBytes = 64 * 1024 * 1024;
constexpr std::uint64_t kTuneSampleBytes = 4 * 1024 * 1024;

// Errors: kBusy (the user stopped it), what keeps all files from being read.
Result<TuneFindings> measure_files(const UserFiles& files, const TuneOptions& options);

}  // namespace logflume
