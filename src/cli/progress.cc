#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/units.h"

namespace logflume {
namespace {

constexpr Duration kRedraw = 200ms;

std::string clock_text(double seconds) {
  const auto whole = static_cast<std::uint64_t>(seconds + 0.5);
  if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

Progress::Progress(std::string what)
    : what_(std::move(what)),
      terminal_(::isatty(STDERR_FILENO) == 1),
      begin_(steady_now()),
      last_draw_(begin_) {}

Progress::~Progress() { finish(); }

void Progress::update(std::uint64_t bytes, std::optional<double> done) {
  bytes_ = bytes;
  done_ = done;
  if (!terminal_) return;
  const TimePoint now = steady_now();
  if (now - last_draw_ < kRedraw) return;
  const double passed = seconds(now - last_draw_);
  const double rate = static_cast<double>(bytes - last_bytes_) / passed;
  rate_ = drawn_ ? 0.7 * rate_ + 0.3 * rate : rate;
  draw(now, bytes_text(), done);
  last_bytes_ = bytes;
  last_draw_ = now;
}

void Progress::step(const std::string& name, double done) {
  step_ = name;
  done_ = done;
  if (terminal_) draw(steady_now(), step_, done);
}

std::string Progress::bytes_text() const {
  return fmt::format("{}  {:.1f} MB/s", human_bytes(static_cast<double>(bytes_)), rate_ / 1e6);
}

void Progress::draw(TimePoint now, const std::string& state, std::optional<double> done) {
  std::string line = what_ + "  " + state;
  if (done) {
    const double share = std::clamp(*done, 0.0, 1.0);
    line += fmt::format("  {:3.0f}%", share * 100);
    if (share > 0.001 && share < 1) {
      line += fmt::format("  {} left", clock_text(seconds(now - begin_) * (1 - share) / share));
    }
  }
  // Back to the first column, and whatever a longer line before left is cleared.
  fmt::print(stderr, "\r{}\x1b[K", line);
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::finish() {
  if (!drawn_) return;
  const TimePoint now = steady_now();
  rate_ = static_cast<double>(bytes_) / std::max(seconds(now - begin_), 1e-9);
  draw(now, step_.empty() ? bytes_text() : step_, done_);
  fmt::print(stderr, "\n");
  drawn_ = false;
}

}  // namespace logflume
