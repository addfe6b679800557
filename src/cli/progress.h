// How far long work has come, on a terminal: bytes, MB/s, percent, time left, redrawn on one line of
// stderr. Silent when stderr is no terminal.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"

namespace logflume {

class Progress {
 public:
  explicit Progress(std::string what);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `done`: 0 to 1, where the end is known. Cheap: draws at most five times a second.
  void update(std::uint64_t bytes, std::optional<double> done);
  // Draws the final state and ends the line, if anything was drawn.
  void finish();

 private:
  void draw(TimePoint now, std::uint64_t bytes, std::optional<double> done);

  std::string what_;
  bool terminal_;
  bool drawn_ = false;
  TimePoint begin_;
  TimePoint last_draw_;
  std::uint64_t last_bytes_ = 0;
  std::uint64_t bytes_ = 0;
  std::optional<double> done_;
  double rate_ = 0;  // smoothed, bytes a second
};

}  // namespace logflume
