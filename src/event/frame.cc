#include "event/frame.h"

#include <algorithm>

namespace logflume {

void Frame::clear() {
  batch = nullptr;
  lines = nullptr;
  rows.clear();
  bytes = 0;
  fields.clear();
  message_is_line = true;
  hidden = 0;
  again = false;
  line_columns = nullptr;
  line_column = nullptr;
}

void Frame::count_bytes() {
  if (rows.size() == lines->size() && !batch->strip_cr && line_column == nullptr) {
    bytes = batch->bytes + (batch->unterminated ? 1 : 0);
    return;
  }
  bytes = 0;
  for (const std::uint32_t row : rows) bytes += line(row).size() + 1;
}

void Frame::put(const FrameField& field) {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const FrameField& other) {
    return other.name == field.name && other.object == field.object;
  });
  if (found == fields.end()) {
    fields.push_back(field);
  } else {
    *found = field;
  }
}

void EventView::set(const std::vector<const Frame*>& frames) {
  frames_ = frames;
  order_.clear();
  bytes_ = 0;
  for (const Frame* frame : frames_) bytes_ += frame->bytes;
  if (frames_.size() < 2) return;
  for (std::uint32_t i = 0; i < frames_.size(); ++i) {
    for (const std::uint32_t row : frames_[i]->rows) order_.push_back({i, row});
  }
  std::stable_sort(order_.begin(), order_.end(),
                   [](const Place& a, const Place& b) { return a.row < b.row; });
  if (order_.empty()) frames_.resize(1);
}

}  // namespace logflume
