// From a batch to the bytes that go out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "event/batch.h"
#include "event/event_index.h"
#include "event/frame.h"
#include "sink/json_fields.h"
#include "sink/sink_config.h"

namespace logflume {

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
  // Where it stands in the batch's text, its newline included.
  std::pair<std::size_t, std::size_t> place(std::size_t index) const;

 private:
  EventIndex index_;
  const EventView* view_ = nullptr;
};

// An event that is so long may become six times as long: what it becomes is asked for, and its memory
// reserved, before it is encoded. Shorter ones are encoded first.
constexpr std::size_t kGiantBytes = 64 * 1024;

// Appends one event's JSON object, without newline, to a string:
// {"message":...,"file":...,"source":...,"host":...,"timestamp":...,LABELS}
// message: JSON-escaped; each maximal ill-formed UTF-8 subpart becomes U+FFFD. Labels in the order of their
// keys; a label named as a fixed field replaces it, but for `message`: a label of that name is left out.
// timestamp: RFC 3339, UTC, nanoseconds ("2026-01-02T03:04:05.678901234Z"), of batch.wall_ns.
// Fields of a view come first, and win over what else has their name (sink/json_fields.h).
// Threads: one. All but the message is rendered once a batch, all but the timestamp once an origin.
class JsonEncoder {
 public:
  JsonEncoder(std::string host, std::map<std::string, std::string> labels);
  // `events` are those of `batch`; both must stay until the next begin().
  void begin(const Batch& batch, const BatchEvents& events);
  // REQUIRES: begin(); index < events.size().
  void append(std::size_t index, std::string& out) const;
  // What append() adds to an event that needs no escaping; about, where there are fields.
  std::size_t overhead_bytes() const;
  // What append() appends. Looks at every byte.
  std::size_t encoded_bytes(std::size_t index) const;

 private:
  void render_origin(const Origin& origin);
  void append_field(std::string_view name, std::string_view value);

  std::string host_;
  std::map<std::string, std::string> labels_;
  std::shared_ptr<const Origin> origin_;  // what suffix_ was rendered for
  std::string suffix_;                    // what follows the message's bytes
  std::size_t timestamp_at_ = 0;          // in suffix_; 0: a label stands for it
  const BatchEvents* events_ = nullptr;
  JsonFields fields_;  // where the events are those of a view
};

// The whole batch, encoded and newline-framed, appended to `out`: raw copies the text (with the missing last
// newline; CRs stripped where the batch says so), JSON writes an object a line.
class BatchEncoder {
 public:
  BatchEncoder(Encoding encoding, std::string host, std::map<std::string, std::string> labels);
  void append(const Batch& batch, std::string& out);

  // The same event by event. The batch must stay until the next begin().
  void begin(const Batch& batch);
  std::size_t events() const { return events_.size(); }
  // What the events from `first` on most likely become; more with quotes and the like. REQUIRES: begin().
  std::size_t expected_bytes(std::size_t first) const;
  bool is_giant(std::size_t index) const { return events_[index].size() >= kGiantBytes; }
  // What append_event() appends, exactly. Looks at every byte. REQUIRES: begin(); index < events().
  std::size_t event_bytes(std::size_t index) const;
  // Its newline included; returns the bytes appended. REQUIRES: begin(); index < events().
  std::size_t append_event(std::size_t index, std::string& out) const;
  // True when `batch.text()` (and a newline if it is unterminated) is the encoding: no copy is needed.
  bool is_identity(const Batch& batch) const {
    return encoding_ == Encoding::kRaw && !batch.strip_cr && !batch.view;
  }

 private:
  Encoding encoding_;
  JsonEncoder json_;
  BatchEvents events_;
};

}  // namespace logflume
