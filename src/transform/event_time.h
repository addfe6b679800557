// By which time transforms go that look at what came before.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "transform/value_reader.h"

namespace logflume {

enum class TimeBase {
  kRead,   // when the event was read
  kEvent,  // its field `timestamp`, where that is a time
};

// The times of a frame's events.
//
// Threads: one.
class EventTimes {
 public:
  // `field`: as compile_event_time() gives it; null: TimeBase::kRead.
  EventTimes(const SharedExpression& field, const std::string& host) {
    if (field) times_.emplace(field, host);
  }
  void begin(const Frame& frame) {
    read_ns_ = frame.batch->wall_ns;
    if (times_) times_->begin(frame);
  }
  // Of frame.rows[index]; no event is later than when it was read.
  std::int64_t operator[](std::size_t index) const {
    if (!times_ || !(*times_)[index].is(Value::Tag::kTimestamp)) return read_ns_;
    return std::min(read_ns_, (*times_)[index].integer);
  }
  std::size_t memory_bytes() const { return times_ ? times_->memory_bytes() : 0; }

 private:
  std::int64_t read_ns_ = 0;
  std::optional<ValueReader> times_;
};

inline std::optional<TransformError> compile_event_time(TimeBase base, const FieldSchema& in,
                                                        SharedExpression& into) {
  if (base == TimeBase::kRead) return {};
  return compile_optional("time", "timestamp", in, compile_field, into);
}

}  // namespace logflume
