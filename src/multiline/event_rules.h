// Which lines of a log are one event: the rules of `multiline`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "multiline/line_marker.h"
#include "multiline/line_pattern.h"
#include "multiline/multiline_config.h"
#include "multiline/presets.h"

namespace logflume {

struct DockerLine;

// Judges lines one after the other.
//
// Threads:   one.
// Invariant: whether a line belongs to an event, and whether it ends it, depends on the lines of that event
//            from its first one on and on nothing else. So whoever begins again where an event began (after a
//            restart, for another sink) comes to the same events.
class EventRules {
 public:
  // A line is judged by so many of its first bytes, and by its length where `max_bytes` asks for it. Patterns
  // and presets look at less of it (LinePattern); but whether a line of Docker's goes on is told at its end,
  // and of its 16 KiB each byte may stand in 6.
  static constexpr std::size_t kHeadBytesMax = std::size_t{128} * 1024;

  // REQUIRES: config.enabled(). Errors: kInvalidArgument: what is wrong with which pattern.
  static Result<EventRules> compile(const MultilineConfig& config);

  // An event that is not over yet, as far as the next line is concerned. As constructed: there is none.
  struct Open {
    std::uint32_t lines = 0;
    PresetState state;
    // Of its last line, inside a container's log.
    std::uint8_t stream = 0;
    bool goes_on = false;  // in the next line
    bool ends = false;     // the event is over when that has come
  };
  // Why an event is over though its rules would let it go on.
  enum class Cut : std::uint8_t { kNone, kMaxLines, kMaxBytes };
  struct Verdict {
    bool over_before = false;  // the line begins an event: the open one is over
    bool over_behind = false;  // the event is over with this line
    Cut cut = Cut::kNone;      // over_before: why
  };

  // `line` without its newline, or at least kHeadBytesMax of it, follows `event_bytes` bytes of the open
  // event, newlines counted. `open` becomes the event that the line is part of; when it is over behind it,
  // the caller makes it a new one.
  Verdict judge(Open& open, std::string_view line, std::uint64_t event_bytes);

  // A line of which only a part was known when it was judged to belong to its event makes this too long, once
  // so much of it is there: it begins one of its own.
  bool is_too_long(std::uint64_t event_bytes) const { return event_bytes > max_bytes_; }

  // Where events end: at their last newline, or at the end of the text.
  struct Ends {
    std::vector<std::uint32_t> at;
    struct CutAt {
      std::size_t index = 0;  // in `at`
      Cut cut = Cut::kNone;
    };
    std::vector<CutAt> cuts;

    void clear() {
      at.clear();
      cuts.clear();
    }
  };
  // The events of `lines`, which begin one; the last line may lack its newline. Returns where what is not
  // over begins: `open` is what it is. REQUIRES: lines.size() < 4 GiB.
  std::size_t find_ends(std::string_view lines, Open& open, Ends& ends) {
    return find_ends(lines, {}, 0, open, ends);
  }
  // The same, where marker() has marked the lines that end behind the first `head_bytes` of `lines`, as a
  // text of their own; none: it has not.
  std::size_t find_ends(std::string_view lines, const LineMarks& marked, std::size_t head_bytes, Open& open,
                        Ends& ends);
  const LineMarker& marker() const { return marker_; }

  // Lines that a pattern gave up on since the last call; a text: of which pattern.
  struct GaveUp {
    const char* pattern = nullptr;
    std::uint64_t lines = 0;
  };
  std::optional<GaveUp> take_gave_up();

 private:
  EventRules() = default;
  // Where the event that is not over begins, and the next line.
  struct Walk {
    std::size_t event = 0;
    std::size_t line = 0;
  };
  void walk(std::string_view text, const LineMarks& lines, std::size_t from, Walk& at, Open& open,
            Ends& ends);
  std::size_t walk_marked(const LineMarks& lines, std::size_t first, std::size_t from, Walk& at, Open& open,
                          Ends& ends) const;
  // A line and what stands around it.
  struct Content {
    std::string_view text;
    std::uint8_t stream = 0;
    bool goes_on = false;
  };
  Content content_of(std::string_view line);
  std::string_view unescaped(const DockerLine& line);
  PresetStep step(Open& open, const Content& content);
  PresetStep first(Open& open, std::string_view line);
  PresetStep next(Open& open, std::string_view line);

  std::optional<LinePattern> start_;
  std::optional<LinePattern> continue_;
  std::optional<LinePattern> end_;
  const PresetRules* preset_ = nullptr;
  std::uint32_t max_lines_ = std::numeric_limits<std::uint32_t>::max();
  std::uint64_t max_bytes_ = std::numeric_limits<std::uint64_t>::max();
  bool has_limits_ = false;
  MultilineInside wrapper_ = MultilineInside::kNothing;
  std::string scratch_;  // what a line of Docker's says
  LineMarker marker_;
  LineMarks marks_;
};

}  // namespace logflume
