// How far long work has come, on a terminal: bytes and MB/s or what it is at, percent, time left, redrawn on
// one line of stderr. Silent when stderr is no terminal.
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
  // For work in steps instead of bytes. Draws each.
  void step(const std::string& name, double done);
  // Draws the final state and ends the line, if anything was drawn.
  void finish();

 private:
  void draw(TimePoint now, const std::string& state, std::optional<double> done);
  std::string bytes_text() const;

  std::string what_;
  bool terminal_;
  bool drawn_ = false;
  TimePoint begin_;
  TimePoint last_draw_;
  std::uint64_t last_bytes_ = 0;
  std::uint64_t bytes_ = 0;
  std::string step_;  // empty: bytes are counted
  std::optional<double> done_;
  double rate_ = 0;  // smoothed, bytes a second
};

}  // namespace logflume
