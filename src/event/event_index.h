// Where the events of a batch's text stand.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "event/batch.h"

namespace logflume {

// The events of one batch, one by one, without their newline (and without the CR before it where the batch
// says so). Build once per batch; the index is kept for reuse.
//
// Threads: one builds it; immutable afterwards, and read by any.
class EventIndex {
 public:
  void build(const Batch& batch);
  std::size_t size() const { return ends_.size(); }
  // REQUIRES: the batch that was built for is still there; index < size().
  std::string_view operator[](std::size_t index) const {
    const std::uint32_t* const end = ends_.data() + index;
    const std::size_t begin = index == 0 ? 0 : std::size_t{end[-1]} + 1;
    const std::string_view event(text_.data() + begin, *end - begin);
    if (strip_cr_) [[unlikely]]
      return without_cr(event, index);
    return event;
  }
  // Where it begins in the batch's text, and how many bytes of that are its own: its newline included, if it
  // has one. REQUIRES: index < size().
  std::size_t begin_of(std::size_t index) const { return index == 0 ? 0 : std::size_t{ends_[index - 1]} + 1; }
  std::size_t end_of(std::size_t index) const {
    return std::min(std::size_t{ends_[index]} + 1, text_.size());
  }
  std::string_view text() const { return text_; }

 private:
  std::string_view without_cr(std::string_view event, std::size_t index) const {
    const bool goes_on = cut_ && index + 1 == ends_.size();
    if (!goes_on && event.ends_with('\r')) event.remove_suffix(1);
    return event;
  }

  std::string_view text_;
  bool strip_cr_ = false;
  bool cut_ = false;                 // the last event goes on behind text_: a CR at its end is just a byte
  std::vector<std::uint32_t> ends_;  // position of each event's newline, or of the text's end
};

}  // namespace logflume
