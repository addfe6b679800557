// The fields of a view's events as members of JSON objects.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "event/frame.h"
#include "sink/event_members.h"

namespace logflume {

// An object an event: {"message":LINE, FIELDS, "file":..., "source":..., "host":..., "timestamp":..., LABELS}
// A field takes the place of whatever else has its name, for the events that have it. Numbers of JSON and
// nested values keep their text; a time is RFC 3339, UTC; what is no number (NaN) is null.
//
// Threads: one.
class JsonFields {
 public:
  JsonFields(std::string host, EventMembers::Labels labels) : members_(std::move(host), std::move(labels)) {}

  // Both stay until the next begin().
  void begin(const Batch& batch, const BatchEvents& events);
  void append(std::size_t index, std::string& out) const;
  // What append() appends. Looks at every byte.
  std::size_t encoded_bytes(std::size_t index) const;
  // What an event takes beside its texts, at most, where it has each field.
  std::size_t overhead_bytes() const { return overhead_bytes_; }

 private:
  struct Rendered {
    std::string key;      // "name":
    std::string instead;  // the value of events without the field; empty: none
  };
  // Of one frame's members: those that are the same for all events stand at the end, as one text.
  struct Text {
    std::vector<Rendered> members;
    std::string suffix;
  };
  template <typename Out>
  void write(std::size_t index, Out& out) const;

  EventMembers members_;
  std::vector<Text> texts_;  // by frame
  std::size_t overhead_bytes_ = 0;
};

}  // namespace logflume
