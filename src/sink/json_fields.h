// The fields of a view's events as members of JSON objects.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "event/frame.h"

namespace logflume {

// An object an event: {"message":LINE, FIELDS, "file":..., "source":..., "host":..., "timestamp":..., LABELS}
// A field takes the place of whatever else has its name, for the events that have it. Numbers of JSON and
// nested values keep their text; a time is RFC 3339, UTC; what is no number (NaN) is null.
//
// Threads: one.
class JsonFields {
 public:
  using Labels = std::map<std::string, std::string>;

  // All of these stay until the next begin().
  void begin(const EventView& view, const Batch& batch, std::string_view host, const Labels& labels);
  void append(std::size_t index, std::string& out) const;
  // What append() appends. Looks at every byte.
  std::size_t encoded_bytes(std::size_t index) const;
  // What an event becomes that is as the first one is, beside its texts.
  std::size_t overhead_bytes() const { return overhead_bytes_; }

 private:
  struct Member {
    const FrameField* field = nullptr;
    std::string key;            // "name":
    std::string instead;        // the value of events without the field; empty: none
    bool line_instead = false;  // it is the line
    bool opens = false;         // the first one of its object
  };
  // What the events of one frame have.
  struct Plan {
    std::vector<Member> members;  // those of one object stand together, those of none first
    bool has_message = false;     // the line
    std::string suffix;           // what all events have, ends the object
  };
  void plan(const Frame& frame, const Batch& batch, std::string_view host, const Labels& labels, Plan& plan);
  template <typename Out>
  void write(std::size_t index, Out& out) const;

  const EventView* view_ = nullptr;
  std::vector<Plan> plans_;  // by frame
  std::size_t overhead_bytes_ = 0;
};

}  // namespace logflume
