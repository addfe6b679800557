// An event of which lines may follow: what a transform that joins lines keeps of it between batches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "event/batch.h"
#include "event/columns.h"
#include "event/frame.h"
#include "multiline/event_rules.h"

namespace logflume {

// Its fields are those of its first line, where it was read and when too.
struct OpenEvent {
  struct Field {
    std::string object;
    std::string name;
    ValueKind kind = ValueKind::kMissing;
    Slot slot{};       // of what is no text
    std::string text;  // of what is one
  };

  EventRules::Open rules;               // as far as the next line is concerned
  std::uint64_t judged_bytes = 0;       // of the texts that were judged, newlines counted
  std::string line;                     // its lines, as they are to be seen
  std::string text;                     // of the field that is judged; empty where that is the line
  std::vector<Field> fields;            // the others
  std::size_t judged_field = SIZE_MAX;  // which of them `text` is the value of; SIZE_MAX: it is the line
  bool message_is_line = true;
  std::uint8_t hidden = 0;
  bool again = false;  // some sink was given these lines before

  std::shared_ptr<const Origin> origin;
  std::int64_t wall_ns = 0;
  TimePoint read_at{};
  FileRange in_file;  // from the first line's begin to the last one's end
  Seam seam;          // the bytes before it
  Seam end_seam;      // the last ones of it

  // With the fields of this row, but the text of `judged`.
  void begin(const Frame& frame, std::uint32_t row, const FrameField* judged);
  // It has this row's line.
  void reach(const Frame& frame, std::uint32_t row);
  std::size_t memory_bytes() const;
};

// Events that are open in one file, for sinks that were given the same lines of it: by Pipeline::joins().
struct OpenEvents {
  std::vector<std::unique_ptr<OpenEvent>> by_join;  // null: none is

  bool empty() const;
  OpenEvents copy() const;
  // What lines came before is the same.
  bool same(const OpenEvents& other) const;
  std::size_t memory_bytes() const;
};

// One that is over: a batch of its own.
//
//   text    java.lang.Error: no\n\tat a.b.C\n    its lines
//   frame   row 0                                fields of the first one
//
// Threads: one, until built; then immutable, and read by any.
class JoinedEvent {
 public:
  // `lines`: of the batch, from now on.
  void build(OpenEvent event, EventIndex& lines);
  // REQUIRES: build(). It lives as long as this.
  const BatchRef& batch() const { return batch_; }
  const Frame& frame() const { return frame_; }
  std::size_t memory_bytes() const { return event_.memory_bytes() + columns_.memory_bytes(); }
  void clear() { batch_ = nullptr; }

 private:
  OpenEvent event_;
  Columns columns_;
  Frame frame_;
  BatchRef batch_;
};

}  // namespace logflume
