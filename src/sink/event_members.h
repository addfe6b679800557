// What an event has: its message, its fields, what it says of itself, and the labels of the sink.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "event/batch.h"
#include "event/frame.h"
#include "sink/event_encoder.h"

namespace logflume {

// A member of the events of a frame, in the order in which they are written. Views the frame and its batch.
struct EventMember {
  enum class Instead { kNothing, kLine, kText, kTime };

  std::string_view object;  // that it is a key of; empty: none
  std::string_view name;
  const FrameField* field = nullptr;  // null: none of these events has a field of that name
  // Of events without the field.
  Instead instead = Instead::kNothing;
  std::string_view text;
  std::int64_t time_ns = 0;
};

// Threads: one.
class EventMembers {
 public:
  using Labels = std::map<std::string, std::string>;
  // The message, where it is the line; then the fields, those of one object together; then file, source,
  // host, timestamp and labels. A field takes the place of whatever else has its name.
  using Plan = std::vector<EventMember>;

  EventMembers(std::string host, Labels labels);
  // Both stay until the next begin().
  void begin(const Batch& batch, const BatchEvents& events);

  const std::vector<Plan>& plans() const { return plans_; }  // by frame
  EventView::Place place(std::size_t index) const {
    return view_ == nullptr ? EventView::Place{0, static_cast<std::uint32_t>(index)} : (*view_)[index];
  }
  std::string_view line(std::size_t index) const { return (*events_)[index]; }
  // Calls take(member, value) for each that the event has; a value of kind kMissing is what it has instead.
  template <typename Take>
  void visit(std::size_t index, const Take& take) const {
    const EventView::Place at = place(index);
    for (const EventMember& member : plans_[at.frame]) {
      const FieldValueRef value = member.field == nullptr ? FieldValueRef{} : member.field->find(at.row);
      if (value.kind != ValueKind::kMissing || member.instead != EventMember::Instead::kNothing)
        take(member, value);
    }
  }

 private:
  void plan(const Frame& frame, const Batch& batch, Plan& plan) const;

  const std::string host_;
  Labels labels_;
  const BatchEvents* events_ = nullptr;
  const EventView* view_ = nullptr;
  Frame plain_;  // of a batch that no transform has seen
  std::vector<Plan> plans_;
};

}  // namespace logflume
