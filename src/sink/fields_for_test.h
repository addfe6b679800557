// Batches whose events have fields, as transforms leave them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "event/batch.h"
#include "event/frame.h"

namespace logflume {

// Events of the lines of `whole`, with a field: the text before the line's first space; none of a line
// without a space. Those whose number is odd come in a frame of their own where there are `frames` = 2.
inline BatchRef with_first_word(const BatchRef& whole, const std::string& name, std::size_t frames = 1) {
  struct Made {
    BatchRef whole;
    EventIndex lines;
    Columns columns;
    std::vector<Frame> frames;
    EventView view;
  };
  auto made = std::make_shared<Made>();
  made->whole = whole;
  made->lines.build(*whole);
  made->columns.begin(whole->text(), made->lines.size());
  Column& column = made->columns.at(made->columns.index_of(name));
  made->frames.resize(frames);
  for (std::uint32_t row = 0; row < made->lines.size(); ++row) {
    const std::string_view line = made->lines[row];
    if (const std::size_t space = line.find(' '); space != std::string_view::npos)
      column.add(row, ValueKind::kString, Slot::of(made->columns.ref(line.substr(0, space))));
    made->frames[row % frames].rows.push_back(row);
  }
  std::vector<const Frame*> shown;
  for (Frame& frame : made->frames) {
    frame.batch = whole.get();
    frame.lines = &made->lines;
    frame.fields.push_back({{}, column.name(), &made->columns, &column, nullptr});
    frame.count_bytes();
    shown.push_back(&frame);
  }
  made->view.set(shown);
  auto* const batch = new Batch(*whole);
  BatchRef out(batch);
  batch->events = static_cast<std::uint32_t>(made->view.size());
  batch->view = {made, &made->view};
  return out;
}

}  // namespace logflume
