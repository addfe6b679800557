// The events of a batch that go to different outputs, by values of their fields.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "event/batch.h"
#include "event/frame.h"
#include "event/memory_budget.h"
#include "sink/template.h"
#include "transform/value_reader.h"

namespace logflume {

// Threads: one.
class EventSplit {
 public:
  struct Part {
    Template::Values values;
    BatchRef batch;  // these events, in their order; it owes what the whole one does
  };

  // `names`: as Template::fields() has them. What the parts take is reserved in `budget`, until they go.
  EventSplit(const std::vector<std::string>& names, std::string host, MemoryBudget& budget);

  // Parts by the values of the fields; none of a batch without events. No more than `parts_max`, and one more
  // for events of further values, which has none itself; returns how many these are.
  std::size_t split(const BatchRef& batch, std::size_t parts_max, std::vector<Part>& parts);

  // The values of one event of the batch after the other.
  void visit(const Batch& batch, const std::function<void(const Template::Values& values)>& visitor);

 private:
  // Of a part: rows by frame of the whole view.
  struct Rows {
    Template::Values values;
    std::vector<std::vector<std::uint32_t>> by_frame;
  };
  void begin(const Frame& frame);
  // Of that row of the frame that was begun.
  void read(std::size_t index);
  BatchRef batch_of(const BatchRef& whole, Rows& rows) const;

  std::vector<std::unique_ptr<ValueReader>> readers_;  // by field; null: there can be no such field
  MemoryBudget& budget_;
  Template::Values values_;  // of the latest event
  std::string key_;          // the same as one text
  std::unordered_map<std::string, std::size_t> known_;
};

}  // namespace logflume
