// How fast work goes on when nothing else gets in between.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace logflume {

// How long each of many equal pieces of work took. The median of these is what the work takes; the mean would
// also count what else ran on the processor meanwhile.
//
// Threads: one.
class Pace {
 public:
  // `piece`: operations that are timed together, at least.
  explicit Pace(std::uint64_t piece) : piece_(piece), next_(piece), last_(steady_now()) {}

  // So many operations are done in all. A piece that was not done under the conditions that are measured,
  // such as beside other threads, does not count.
  void passed(std::uint64_t count, bool counts = true) {
    if (count < next_) return;
    const TimePoint now = steady_now();
    if (counts) {
      each_.push_back(std::chrono::duration<double>(now - last_).count() /
                      static_cast<double>(count - last_count_));
    }
    last_ = now;
    last_count_ = count;
    next_ = count + piece_;
  }

  // That `count` operations take at this pace. Where there were too few pieces to tell: since `begin`.
  double seconds(std::uint64_t count, TimePoint begin) {
    if (each_.size() < kPiecesMin) return std::chrono::duration<double>(steady_now() - begin).count();
    const auto middle = each_.begin() + std::ssize(each_) / 2;
    std::nth_element(each_.begin(), middle, each_.end());
    return *middle * static_cast<double>(count);
  }

 private:
  static constexpr std::size_t kPiecesMin = 5;

  std::uint64_t piece_;
  std::uint64_t next_;
  std::uint64_t last_count_ = 0;
  TimePoint last_;
  std::vector<double> each_;
};

}  // namespace logflume
