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
#include "sink/event_encoder.h"
#include "sink/json_fields.h"
#include "sink/sink_config.h"

namespace logflume {

// An event that is so long may become six times as long: what it becomes is asked for, and its memory
// reserved, before it is encoded. Shorter ones are encoded first.
constexpr std::size_t kGiantBytes = 64 * 1024;
// Shorter runs of a batch's text cost less when they are copied together than as parts of a system call.
constexpr std::size_t kRunBytes = 8 * 1024;

// Appends one event's JSON object, without newline, to a string:
// {"message":...,"file":...,"source":...,"host":...,"timestamp":...,LABELS}
// message: JSON-escaped; each maximal ill-formed UTF-8 subpart becomes U+FFFD. Labels in the order of their
// keys; a label named as a fixed field replaces it, but for `message`: a label of that name is left out.
// timestamp: RFC 3339, UTC, nanoseconds ("2026-01-02T03:04:05.678901234Z"), of batch.wall_ns.
// Fields of a view come first, and win over what else has their name (sink/json_fields.h).
// Threads: one. All but the message is rendered once a batch, all but the timestamp once an origin.
class JsonEncoder final : public EventEncoder {
 public:
  JsonEncoder(std::string host, std::map<std::string, std::string> labels);
  void begin(const Batch& batch, const BatchEvents& events) override;
  void append(std::size_t index, std::string& out) const override;
  std::size_t overhead_bytes() const override;
  std::size_t encoded_bytes(std::size_t index) const override;

 private:
  void render_origin(const Origin& origin);
  void append_field(std::string_view name, std::string_view value);

  std::string host_;
  std::map<std::string, std::string> labels_;
  std::shared_ptr<const Origin> origin_;  // what suffix_ was rendered for
  std::string suffix_;                    // what follows the message's bytes
  std::size_t timestamp_at_ = 0;          // in suffix_; 0: a label stands for it
  const EventIndex* lines_ = nullptr;     // null: the events are those of a view
  JsonFields fields_;                     // where the events are those of a view
};

// The whole batch, encoded and newline-framed, appended to `out`: raw copies the text (with the missing last
// newline; CRs stripped where the batch says so), JSON writes an object a line.
class BatchEncoder {
 public:
  BatchEncoder(const SinkConfig& config, const std::string& host);
  void append(const Batch& batch, std::string& out);

  // The same event by event. The batch must stay until the next begin().
  void begin(const Batch& batch);
  std::size_t events() const { return events_.size(); }
  // What the events from `first` on most likely become; more with quotes and the like. REQUIRES: begin().
  std::size_t expected_bytes(std::size_t first) const;
  bool is_giant(std::size_t index) const { return events_[index].size() >= kGiantBytes; }
  // What append_event() appends, exactly. Looks at every byte. REQUIRES: begin(); index < events().
  std::size_t event_bytes(std::size_t index) const;
  // What stands behind it included; returns the bytes appended. REQUIRES: begin(); index < events().
  std::size_t append_event(std::size_t index, std::string& out) const;
  // The same of one event or a run of them; returns how many: none where a run of `run_bytes` begins.
  std::size_t append_some(std::size_t first, std::size_t run_bytes, std::string& out) const;
  // Events from `first` on that need no encoding: their bytes go out as they stand in the batch. Of none if
  // that one does. REQUIRES: begin(); first < events().
  TextRun run_from(std::size_t first) const { return verbatim_ ? events_.run_from(first) : TextRun{}; }
  // What stands behind each event: a newline, unless its bytes say where they end.
  std::string_view event_end() const { return end_; }
  // True when `batch.text()` (and a newline if it is unterminated) is the encoding: no copy is needed.
  bool is_identity(const Batch& batch) const { return is_raw() && !batch.strip_cr && !batch.view; }

 private:
  bool is_raw() const { return encoder_ == nullptr; }

  std::unique_ptr<EventEncoder> encoder_;  // null: raw
  std::string_view end_;
  BatchEvents events_;
  bool verbatim_ = false;  // raw, and no CR is to go
};

}  // namespace logflume
