// From an event to the bytes that go out for it.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "event/batch.h"
#include "event/event_index.h"
#include "event/frame.h"
#include "sink/sink_config.h"

namespace logflume {

// Events that stand one behind the other in a batch's text, each with its newline, as they were read.
struct TextRun {
  std::string_view text;
  std::size_t events = 0;
};

// The events of one batch: those of its view, or each of its text. Build once per batch; what it has is kept
// for reuse.
//
// Threads: one.
class BatchEvents {
 public:
  void build(const Batch& batch);
  std::size_t size() const { return view_ == nullptr ? index_.size() : view_->size(); }
  // The event as it was read, without its newline. REQUIRES: the batch is still there; index < size().
  std::string_view operator[](std::size_t index) const {
    return view_ == nullptr ? index_[index] : view_->line(index);
  }
  // Of the lines from that event on, newlines counted. REQUIRES: as above.
  std::size_t bytes_from(std::size_t index) const;
  // Null: no stage has changed the batch.
  const EventView* view() const { return view_; }
  // Null: there is a view.
  const EventIndex* lines() const { return view_ == nullptr ? &index_ : nullptr; }
  // Where it stands in the batch's text, its newline included.
  std::pair<std::size_t, std::size_t> place(std::size_t index) const;
  // The longest one from that event on. None where its line was written over, or lacks its newline.
  // REQUIRES: no CR is to go from the lines.
  TextRun run_from(std::size_t index) const;

 private:
  bool is_as_read(std::size_t index) const;

  EventIndex index_;
  const EventView* view_ = nullptr;
};

// Threads: one.
class EventEncoder {
 public:
  virtual ~EventEncoder() = default;
  // `events` are those of `batch`; both must stay until the next begin().
  virtual void begin(const Batch& batch, const BatchEvents& events) = 0;
  // Without what stands between events. REQUIRES: begin(); index < events.size().
  virtual void append(std::size_t index, std::string& out) const = 0;
  // What append() adds to an event that needs no escaping; about, where there are fields.
  virtual std::size_t overhead_bytes() const = 0;
  // What append() appends. Looks at every byte.
  virtual std::size_t encoded_bytes(std::size_t index) const = 0;
};

// Null for raw: the event's own bytes.
std::unique_ptr<EventEncoder> make_event_encoder(const SinkConfig& config, const std::string& host);
// Whether an event's bytes say where they end: no newline belongs behind them.
inline bool is_self_delimiting(Encoding encoding) { return encoding == Encoding::kMsgpack; }

}  // namespace logflume
