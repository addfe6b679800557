#include "event/event_index.h"

#include "event/newlines.h"

namespace logflume {

void EventIndex::build(const Batch& batch) {
  text_ = batch.text();
  strip_cr_ = batch.strip_cr;
  cut_ = batch.truncated && batch.unterminated;
  if (!batch.event_ends.empty()) {
    ends_ = batch.event_ends;
    return;
  }
  index_newlines(text_, ends_);
  if (batch.unterminated) ends_.push_back(static_cast<std::uint32_t>(text_.size()));
}

}  // namespace logflume
