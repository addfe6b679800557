#include "sink/event_split.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <variant>

namespace logflume {
namespace {

// What a batch of some events of another one views.
struct PartView {
  BatchRef whole;  // whose frames' columns and lines these are
  std::vector<Frame> frames;
  EventView view;
};

// Whether there can be such a field was checked with the configuration, which knows the fields that there
// are.
SharedExpression field_of(const std::string& name) {
  auto compiled = Expression::of_field(name, FieldSchema{});
  if (std::holds_alternative<ExpressionError>(compiled)) return nullptr;
  return std::make_shared<const Expression>(std::get<Expression>(std::move(compiled)));
}

// Not between the bytes of a character.
std::string_view cut(std::string_view text) {
  if (text.size() <= Template::kFieldBytesMax) return text;
  std::size_t bytes = Template::kFieldBytesMax;
  while (bytes > Template::kFieldBytesMax - 4 && (text[bytes] & 0xC0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

}  // namespace

EventSplit::EventSplit(const std::vector<std::string>& names, std::string host, MemoryBudget& budget)
    : budget_(budget), values_(names.size()) {
  for (const std::string& name : names) {
    SharedExpression field = field_of(name);
    readers_.push_back(field ? std::make_unique<ValueReader>(std::move(field), host) : nullptr);
  }
}

void EventSplit::begin(const Frame& frame) {
  for (const auto& reader : readers_) {
    if (reader) reader->begin(frame);
  }
}

void EventSplit::read(std::size_t index) {
  key_.clear();
  for (std::size_t i = 0; i < readers_.size(); ++i) {
    std::string_view text;
    if (!readers_[i] || !readers_[i]->text(index, text)) {
      values_[i].reset();
      key_ += '-';
      continue;
    }
    text = cut(text);
    if (values_[i]) {
      values_[i]->assign(text);  // keeps its memory
    } else {
      values_[i].emplace(text);
    }
    const auto bytes = static_cast<std::uint32_t>(text.size());
    key_ += '+';
    key_.append(reinterpret_cast<const char*>(&bytes), sizeof bytes);
    key_ += text;
  }
}

std::size_t EventSplit::split(const BatchRef& batch, std::size_t parts_max, std::vector<Part>& parts) {
  parts.clear();
  const EventView* const view = batch->view.get();
  if (view == nullptr) {
    if (batch->events != 0) parts.push_back({{}, batch});
    return 0;
  }
  known_.clear();
  std::vector<Rows> found;
  std::size_t excess_events = 0;
  std::optional<std::size_t> excess;
  for (std::size_t frame = 0; frame < view->frames().size(); ++frame) {
    const std::vector<std::uint32_t>& rows = view->frames()[frame]->rows;
    begin(*view->frames()[frame]);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      read(i);
      auto known = known_.find(key_);
      if (known == known_.end()) {
        if (known_.size() < parts_max) {
          known = known_.emplace(key_, found.size()).first;
          found.push_back({values_, std::vector<std::vector<std::uint32_t>>(view->frames().size())});
        } else if (!excess) {
          excess = found.size();
          found.push_back({{}, std::vector<std::vector<std::uint32_t>>(view->frames().size())});
        }
      }
      const bool exceeds = known == known_.end();
      excess_events += exceeds ? 1 : 0;
      found[exceeds ? *excess : known->second].by_frame[frame].push_back(rows[i]);
    }
  }
  for (Rows& rows : found) {
    BatchRef part = found.size() == 1 ? batch : batch_of(batch, rows);
    parts.push_back({std::move(rows.values), std::move(part)});
  }
  return excess_events;
}

BatchRef EventSplit::batch_of(const BatchRef& whole, Rows& rows) const {
  auto view = std::make_shared<PartView>();
  view->whole = whole;
  view->frames.reserve(rows.by_frame.size());
  std::size_t bytes = sizeof(Batch) + sizeof(PartView);
  for (std::size_t i = 0; i < rows.by_frame.size(); ++i) {
    if (rows.by_frame[i].empty()) continue;
    const Frame& of = *whole->view->frames()[i];
    Frame& frame = view->frames.emplace_back();
    frame.batch = of.batch;
    frame.lines = of.lines;
    frame.rows = std::move(rows.by_frame[i]);
    frame.fields = of.fields;
    frame.message_is_line = of.message_is_line;
    frame.hidden = of.hidden;
    frame.again = of.again;
    frame.line_columns = of.line_columns;
    frame.line_column = of.line_column;
    frame.count_bytes();
    bytes += sizeof(Frame) + frame.rows.capacity() * sizeof(std::uint32_t) +
             frame.fields.capacity() * sizeof(FrameField);
  }
  std::vector<const Frame*> frames;
  for (const Frame& frame : view->frames) frames.push_back(&frame);
  view->view.set(frames);

  auto* const part = new Batch(*whole);
  BatchRef made(part);
  part->events = static_cast<std::uint32_t>(view->view.size());
  part->view = {view, &view->view};
  part->charge(budget_, bytes);
  return made;
}

void EventSplit::visit(const Batch& batch, const std::function<void(const Template::Values&)>& visitor) {
  const EventView* const view = batch.view.get();
  if (view == nullptr) {
    values_.assign(values_.size(), std::nullopt);
    for (std::uint32_t i = 0; i < batch.events; ++i) visitor(values_);
    return;
  }
  // The events of one frame stand together in it, in a view of several they alternate.
  std::vector<std::vector<Template::Values>> by_frame(view->frames().size());
  for (std::size_t frame = 0; frame < view->frames().size(); ++frame) {
    begin(*view->frames()[frame]);
    for (std::size_t i = 0; i < view->frames()[frame]->rows.size(); ++i) {
      read(i);
      by_frame.size() == 1 ? visitor(values_) : by_frame[frame].push_back(values_);
    }
  }
  if (by_frame.size() == 1) return;
  std::vector<std::size_t> next(by_frame.size());
  for (std::size_t i = 0; i < view->size(); ++i) {
    const std::size_t frame = (*view)[i].frame;
    visitor(by_frame[frame][next[frame]++]);
  }
}

}  // namespace logflume
