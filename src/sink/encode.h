// From a batch to the bytes that go out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "event/batch.h"
#include "sink/sink_config.h"

namespace logflume {

// The events of one batch, one by one, without their newline (and without the CR before it where the batch
// says so). Build once per batch; the index is kept for reuse. Threads: one.
class EventIndex {
 public:
  void build(const Batch& batch);
  std::size_t size() const { return ends_.size(); }
  // REQUIRES: the batch that was built for is still there; index < size().
  std::string_view operator[](std::size_t index) const;
  // Of the text from that event on. REQUIRES: as above.
  std::size_t bytes_from(std::size_t index) const {
    return text_.size() - (index == 0 ? 0 : std::size_t{ends_[index - 1]} + 1);
  }

 private:
  std::string_view text_;
  bool strip_cr_ = false;
  bool cut_ = false;                 // the last event goes on behind text_: a CR at its end is just a byte
  std::vector<std::uint32_t> ends_;  // position of each event's newline, or of the text's end
};

// An event that is so long may become six times as long: what it becomes is asked for, and its memory
// reserved, before it is encoded. Shorter ones are encoded first.
constexpr std::size_t kGiantBytes = 64 * 1024;

// Appends one event's JSON object, without newline, to a string:
// {"message":...,"file":...,"source":...,"host":...,"timestamp":...,LABELS}
// message: JSON-escaped; each maximal ill-formed UTF-8 subpart becomes U+FFFD. Labels in the order of their
// keys; a label named as a fixed field replaces it, but for `message`: a label of that name is left out.
// timestamp: RFC 3339, UTC, nanoseconds ("2026-01-02T03:04:05.678901234Z"), of batch.wall_ns.
// Threads: one. All but the message is rendered once a batch, all but the timestamp once an origin.
class JsonEncoder {
 public:
  JsonEncoder(std::string host, std::map<std::string, std::string> labels);
  void begin(const Batch& batch);
  // REQUIRES: begin().
  void append(std::string_view event, std::string& out) const;
  // What append() adds to an event that needs no escaping.
  std::size_t overhead_bytes() const;
  // What append() appends. Looks at every byte.
  std::size_t encoded_bytes(std::string_view event) const;

 private:
  void render_origin(const Origin& origin);
  void append_field(std::string_view name, std::string_view value);

  std::string host_;
  std::map<std::string, std::string> labels_;
  std::shared_ptr<const Origin> origin_;  // what suffix_ was rendered for
  std::string suffix_;                    // what follows the message's bytes
  std::size_t timestamp_at_ = 0;          // in suffix_; 0: a label stands for it
};

// Appends nanoseconds since 1970 as RFC 3339, UTC: "2026-01-02T03:04:05.678901234Z".
void append_timestamp(std::int64_t wall_ns, std::string& out);

// Appends `text` escaped as the inside of a JSON string, each maximal ill-formed UTF-8 subpart replaced by
// U+FFFD. (json_escape.cc)
void append_json_escaped(std::string_view text, std::string& out);
// How many bytes that would append.
std::size_t json_escaped_bytes(std::string_view text);

// The whole batch, encoded and newline-framed, appended to `out`: raw copies the text (with the missing last
// newline; CRs stripped where the batch says so), JSON writes an object a line.
class BatchEncoder {
 public:
  BatchEncoder(Encoding encoding, std::string host, std::map<std::string, std::string> labels);
  void append(const Batch& batch, std::string& out);

  // The same event by event. The batch must stay until the next begin().
  void begin(const Batch& batch);
  std::size_t events() const { return index_.size(); }
  // What the events from `first` on most likely become; more with quotes and the like. REQUIRES: begin().
  std::size_t expected_bytes(std::size_t first) const;
  bool is_giant(std::size_t index) const { return index_[index].size() >= kGiantBytes; }
  // What append_event() appends, exactly. Looks at every byte. REQUIRES: begin(); index < events().
  std::size_t event_bytes(std::size_t index) const;
  // Its newline included; returns the bytes appended. REQUIRES: begin(); index < events().
  std::size_t append_event(std::size_t index, std::string& out) const;
  // True when `batch.text()` (and a newline if it is unterminated) is the encoding: no copy is needed.
  bool is_identity(const Batch& batch) const { return encoding_ == Encoding::kRaw && !batch.strip_cr; }

 private:
  Encoding encoding_;
  JsonEncoder json_;
  EventIndex index_;
};

}  // namespace logflume
