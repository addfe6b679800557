// What transforms made of a batch, as a part of a buffer's payload (docs/formats/buffer.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "event/batch.h"
#include "event/frame.h"

namespace logflume {

// Appends the lines that are left, each with a newline, and where each ends. They take view.bytes().
void append_view_text(const EventView& view, std::string& text, std::vector<std::uint32_t>& ends);

// The frames and their fields. REQUIRES: batch.view.
std::uint64_t view_bytes(const Batch& batch);
void append_view(const Batch& batch, std::string& out);

// A view that was read. It views the payload, which must stay as long.
class StoredView {
 public:
  // False: these are not the bytes of one, whatever their checksum says. `events`: of the batch.
  bool decode(std::string_view payload, std::size_t at, std::uint32_t events);
  // REQUIRES: decode(); the text of `batch` is the lines, its event_ends say where they end.
  void attach(const Batch& batch);
  const EventView& view() const { return view_; }

 private:
  std::vector<Frame> frames_;
  std::vector<std::unique_ptr<Columns>> columns_;  // by frame
  EventIndex lines_;
  EventView view_;
};

}  // namespace logflume
