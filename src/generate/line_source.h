// Realistic log lines, made fast: a set of lines is rendered once, then only the time, the sequence number
// and the checksum change.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "generate/mark.h"

namespace logflume {

enum class LineFormat {
  kNginx,       // access log, combined format; the mark is a query parameter
  kJson,        // an application's JSON lines; the mark is the field "mark"
  kJava,        // log4j-like lines with stack traces; each physical line has its mark
  kSyslog5424,  // the mark is structured data
  kSyslog3164,  // the mark ends the message
};

// The time as the formats write it. All in UTC.
enum class TimeStyle { kNone, kNginx, kIso, kJava, kSyslog5424, kSyslog3164 };

// The rendered lines. Immutable; shared by all streams of one run.
class LineTemplates {
 public:
  struct Line {
    std::uint32_t begin = 0;
    std::uint32_t size = 0;  // with the newline
    std::uint32_t time_at = 0;
    std::uint32_t mark_at = 0;
    TimeStyle time = TimeStyle::kNone;
    bool starts_event = true;  // false: belongs to the event of the line before
  };

  // `stream_size`: bytes of a stream's name. `line_bytes`: exact size of each line, newline included, or 0
  // for natural sizes. Errors: kInvalidArgument when the format cannot be that short.
  static Result<std::shared_ptr<const LineTemplates>> make(LineFormat format, std::size_t stream_size,
                                                           std::size_t line_bytes, std::uint64_t seed);

  std::span<const Line> lines() const { return lines_; }
  const char* text(const Line& line) const { return text_.data() + line.begin; }
  std::size_t stream_size() const { return stream_size_; }
  std::size_t longest() const { return longest_; }

 private:
  LineTemplates() = default;
  std::string text_;
  std::vector<Line> lines_;
  std::size_t stream_size_ = 0;
  std::size_t longest_ = 0;
};

// The lines of one stream, numbered from 1. Threads: one.
class LineSource {
 public:
  // `offset` makes streams that share templates start at different lines.
  // REQUIRES: stream.size() == templates->stream_size().
  LineSource(std::shared_ptr<const LineTemplates> templates, std::string stream, std::uint64_t offset);

  // The time that the next lines carry, nanoseconds since 1970.
  void set_time(std::int64_t wall_ns);

  std::size_t next_size() const { return current().size; }  // newline included
  bool next_starts_event() const { return current().starts_event; }

  // Writes the next line, with newline, to `out`. REQUIRES: room for next_size() bytes.
  std::size_t next(char* out);

  const std::string& stream() const { return stream_; }
  std::uint64_t made() const { return made_; }

 private:
  const LineTemplates::Line& current() const { return templates_->lines()[index_]; }

  std::shared_ptr<const LineTemplates> templates_;
  std::string stream_;
  std::size_t index_ = 0;
  std::uint64_t made_ = 0;
  std::array<char, kMarkSequenceDigits> sequence_{};
  std::array<std::string, 6> times_;  // by TimeStyle
  std::int64_t time_ms_ = -1;
};

}  // namespace logflume
