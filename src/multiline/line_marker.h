// What lines' first bytes say, whatever stands before them: what is costly about knowing which lines are one
// event, and can be done by any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/head_pattern.h"
#include "multiline/multiline_config.h"
#include "multiline/presets.h"

namespace logflume {

// Of a preset, what holds for events that end in one of the places that all presets have.
enum class LineMark : std::uint8_t {
  kAsk,        // nothing is known
  kBegins,     // it begins an event; of a preset, it is a record
  kContinues,  // it belongs to the event before it; of a preset, it is a frame
};

// Some lines of a text.
struct LineMarks {
  std::vector<std::uint32_t> ends;  // of each: its newline, or the text's end
  std::vector<LineMark> marks;
};

// Threads: any; it does not change.
class LineMarker {
 public:
  // Knows nothing.
  LineMarker() = default;
  // REQUIRES: config.enabled().
  explicit LineMarker(const MultilineConfig& config);

  // The lines of `text` that end in [from, to), the first of which begins at `begin`.
  // REQUIRES: text.size() < 4 GiB.
  void mark(std::string_view text, std::size_t begin, std::size_t from, std::size_t to,
            LineMarks& lines) const;

 private:
  LineMark by_pattern(std::string_view text, std::size_t begin, std::size_t end) const;
  LineMark by_preset(std::string_view text, std::size_t begin, std::size_t end) const;

  // Of a single pattern.
  HeadPattern head_;
  std::array<LineMark, 3> by_answer_{};  // HeadPattern::Answer
  // Of a preset: by the first byte, and the first bytes of a frame.
  std::array<LineMark, 256> by_byte_{};
  std::uint64_t frame_ = 1;
  std::uint64_t frame_mask_ = 0;
};

}  // namespace logflume
