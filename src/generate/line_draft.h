// What the lines of each format look like, before time and mark are filled in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "generate/line_source.h"

namespace logflume {

struct LineDraft {
  std::string text;
  std::size_t time_at = 0;
  std::size_t mark_at = 0;
  std::size_t fill_end = 0;   // where padding goes ...
  std::size_t fill_size = 0;  // ... and how many bytes before it may be cut
  TimeStyle time = TimeStyle::kNone;

  // Pads or cuts to `bytes`. False, with `text` as short as it gets, when that is not short enough.
  bool fit(std::size_t bytes, std::mt19937_64& random);
};

// Makes up events, each of one or more lines. Deterministic by its seed. Threads: one.
class DraftWriter {
 public:
  // `compact`: lines will be cut to a size, so the optional parts are left out.
  DraftWriter(LineFormat format, std::string mark, bool compact, std::uint64_t seed);

  void next_event(std::vector<LineDraft>& lines);
  std::mt19937_64& random() { return random_; }

 private:
  void nginx(std::vector<LineDraft>& lines);
  void json(std::vector<LineDraft>& lines);
  void java(std::vector<LineDraft>& lines);
  void syslog(std::vector<LineDraft>& lines, bool rfc5424);
  void stack_trace(std::vector<LineDraft>& lines);

  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  std::string sentence();
  std::string hex(std::size_t digits);

  LineFormat format_;
  std::string mark_;
  bool compact_;
  std::mt19937_64 random_;
};

}  // namespace logflume
