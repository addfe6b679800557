// Frames: events of a batch with their fields, as they stand at one point of a pipeline.
//
//   batch's text     line 0 \n line 1 \n line 2 \n line 3 \n
//   frame "app"      rows 0 1 2 3    fields level, status, user      behind parse_json
//   frame "bad"      rows 1 3        the same fields                 behind a filter: no column is copied
//   view of a sink   frames of its inputs, merged in the order of the lines
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "event/columns.h"
#include "event/event_index.h"

namespace logflume {

// A value and where its text is.
struct FieldValueRef {
  const Columns* columns = nullptr;
  ValueKind kind = ValueKind::kMissing;
  Slot slot{};
  std::string_view text() const { return columns->text(slot.text); }
};

// A field of a frame's events.
//
// Ownership: views columns of a stage and, below them, a field of the frame that the stage was given.
struct FrameField {
  std::string_view object;  // the object that it is a key of; empty: it stands at the top level
  std::string_view name;
  const Columns* columns = nullptr;
  const Column* column = nullptr;
  const FrameField* under = nullptr;  // for rows that the column has nothing of

  FieldValueRef find(std::size_t row) const {
    for (const FrameField* field = this; field != nullptr; field = field->under) {
      const std::size_t at = field->column->find(row);
      if (at != Column::kNone)
        return {field->columns, field->column->kind_at(at), field->column->slot_at(at)};
    }
    return {};
  }
};

// What each event says of itself without being asked: JSON writes them beside the fields, which win over
// them.
enum class BaseField : std::uint8_t { kFile, kSource, kHost, kTimestamp };
constexpr std::size_t kBaseFields = 4;
constexpr std::string_view kBaseFieldNames[kBaseFields] = {"file", "source", "host", "timestamp"};
constexpr std::string_view kMessageField = "message";

// Threads:   one fills it; immutable afterwards, and read by any.
// Invariant: rows go upwards; no two fields have the same object and name.
struct Frame {
  const Batch* batch = nullptr;
  const EventIndex* lines = nullptr;  // of the batch, by row
  std::vector<std::uint32_t> rows;    // those that are left
  std::size_t bytes = 0;              // of these lines, newlines counted
  std::vector<FrameField> fields;
  bool message_is_line = true;  // `message` of each row is its line
  std::uint8_t hidden = 0;      // base fields that were removed, a bit each
  bool again = false;           // some sink was given these events before
  // What takes the place of lines, for rows that it has: secrets must not leave with the line either.
  const Columns* line_columns = nullptr;
  const Column* line_column = nullptr;

  // The line, as it is to be seen.
  std::string_view line(std::size_t row) const {
    if (line_column != nullptr) {
      const std::size_t at = line_column->find(row);
      if (at != Column::kNone) return line_columns->text(line_column->slot_at(at).text);
    }
    return (*lines)[row];
  }
  // It is not what was read.
  bool has_own_line(std::size_t row) const {
    return line_column != nullptr && line_column->find(row) != Column::kNone;
  }
  const FrameField* find(std::string_view name, std::string_view object = {}) const {
    for (const FrameField& field : fields) {
      if (field.name == name && field.object == object) return &field;
    }
    return nullptr;
  }
  bool hides(BaseField field) const { return (hidden >> static_cast<unsigned>(field) & 1) != 0; }
  // Keeps what memory it has.
  void clear();
  // `bytes`, of the rows that it has.
  void count_bytes();
  // The field's values are those of `field`, from now on.
  void put(const FrameField& field);
};

// The events of a batch that one sink gets.
//
// Threads: immutable, and read by any.
class EventView {
 public:
  struct Place {
    std::uint32_t frame;
    std::uint32_t row;
  };

  // REQUIRES: `frames` stay, and are of one batch.
  void set(const std::vector<const Frame*>& frames);
  std::size_t size() const { return order_.empty() ? frames_[0]->rows.size() : order_.size(); }
  const std::vector<const Frame*>& frames() const { return frames_; }
  // REQUIRES: index < size().
  Place operator[](std::size_t index) const {
    return order_.empty() ? Place{0, frames_[0]->rows[index]} : order_[index];
  }
  std::string_view line(std::size_t index) const {
    const Place place = (*this)[index];
    return frames_[place.frame]->line(place.row);
  }
  const EventIndex& lines() const { return *frames_[0]->lines; }
  // Of the lines, newlines counted.
  std::size_t bytes() const { return bytes_; }

 private:
  std::vector<const Frame*> frames_;  // at least one
  std::vector<Place> order_;          // by line; empty when there is one frame
  std::size_t bytes_ = 0;
};

}  // namespace logflume
