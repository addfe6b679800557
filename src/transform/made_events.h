// Events that a transform has made: a batch of their own.
//
//   text    {"timestamp":"2026-01-02T03:04:00Z","status":200,"requests":12}\n    an event a line, as JSON
//   frame   rows 0 1 2 ...    fields timestamp, status, requests
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "event/batch.h"
#include "event/columns.h"
#include "event/frame.h"
#include "expression/value.h"

namespace logflume {

// Threads:   one, until finish(); then immutable, and read by any.
// Lifecycle: begin(), for each event put() and end_event(), finish(); then from the beginning, with the
// memory that it has.
class MadeEvents {
 public:
  // A field of these events. The names stay as long as what is made.
  struct Field {
    std::string_view object;  // that it is a key of; empty: it stands at the top level
    std::string_view name;
    std::string_view column;  // unlike that of every other field
  };

  // `fields`: those that the events may have, those of one object one behind the other.
  void begin(const std::vector<Field>& fields);
  // The value of a field. REQUIRES: fields come in the order of begin(); values are no lists. What is a fault
  // is not there.
  void put(std::size_t field, const Value& value);
  void end_event();
  // They come from `source`, now; `again`: some sink was given what they were made of before. `lines`: of
  // their batch, from now on; it stays as long as what is made.
  void finish(const std::string& source, std::int64_t now_ns, bool again, EventIndex& lines);

  std::size_t size() const { return events_; }
  // REQUIRES: finish(). It owes nothing, and lives as long as this.
  const BatchRef& batch() const { return batch_; }
  const Frame& frame() const { return frame_; }
  std::size_t memory_bytes() const;
  // The batch may go.
  void clear() { batch_ = nullptr; }

 private:
  std::vector<Field> fields_;
  std::vector<std::size_t> columns_of_;  // by field
  Columns columns_;
  std::string text_;
  std::string_view open_;  // the object whose keys are being written
  bool first_ = true;      // nothing has been written in the object that is open
  std::size_t events_ = 0;
  Frame frame_;
  BatchRef batch_;
};

}  // namespace logflume
