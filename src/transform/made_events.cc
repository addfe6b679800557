#include "transform/made_events.h"

#include "event/slab.h"
#include "telemetry/json_text.h"
#include "transform/json_value.h"

namespace logflume {
namespace {

constexpr std::uint32_t kOverheadBytes = 1024;  // of a batch in a sink, about (feeder.cc)

}  // namespace

void MadeEvents::begin(const std::vector<Field>& fields) {
  batch_ = nullptr;
  fields_ = fields;
  columns_.begin({}, 0);
  columns_of_.clear();
  for (const Field& field : fields_) columns_of_.push_back(columns_.index_of(field.column));
  text_.clear();
  events_ = 0;
  open_ = {};
  first_ = true;
}

void MadeEvents::put(std::size_t field, const Value& value) {
  if (value.is_fault()) return;
  const Field& what = fields_[field];
  Slot slot{};
  slot.integer = value.integer;
  const ValueKind kind = kind_of(value.tag);
  if (is_text(kind)) {
    TextRef ref;
    if (!columns_.copy(value.text(), ref)) return;  // 2 GiB are full
    slot = Slot::of(ref);
  }
  columns_.at(columns_of_[field]).add(events_, kind, slot);

  if (text_.empty() || text_.back() == '\n') text_ += '{';
  if (!open_.empty() && open_ != what.object) {
    text_ += '}';
    open_ = {};
    first_ = false;
  }
  if (!what.object.empty() && open_.empty()) {
    if (!first_) text_ += ',';
    append_json_string(text_, what.object);
    text_ += ":{";
    open_ = what.object;
    first_ = true;
  }
  if (!std::exchange(first_, false)) text_ += ',';
  append_json_string(text_, what.name);
  text_ += ':';
  append_json(value, text_);
}

void MadeEvents::end_event() {
  if (text_.empty() || text_.back() == '\n') text_ += '{';
  if (!open_.empty()) text_ += '}';
  text_ += "}\n";
  open_ = {};
  first_ = true;
  ++events_;
}

void MadeEvents::finish(const std::string& source, std::int64_t now_ns, bool again, EventIndex& lines) {
  const std::size_t bytes = text_.size();
  text_.append(Slab::kPadBytes, '\0');
  auto* const batch = new Batch;
  batch_ = BatchRef(batch);
  batch->data = text_.data();
  batch->bytes = bytes;
  batch->events = static_cast<std::uint32_t>(events_);
  batch->made = true;
  batch->owed_bytes = 0;
  batch->origin = std::make_shared<const Origin>(Origin{source, {}, Origin::kNoFile});
  batch->wall_ns = now_ns;
  batch->read_at = steady_now();
  batch->overhead_bytes = kOverheadBytes;
  lines.build(*batch_);

  frame_.clear();
  frame_.batch = batch;
  frame_.lines = &lines;
  frame_.again = again;
  frame_.message_is_line = false;
  frame_.hidden = 1U << static_cast<unsigned>(BaseField::kFile);
  for (std::uint32_t row = 0; row < events_; ++row) frame_.rows.push_back(row);
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    const Column& column = columns_.at(columns_of_[i]);
    if (column.present() > 0)
      frame_.fields.push_back({fields_[i].object, fields_[i].name, &columns_, &column, nullptr});
  }
  frame_.count_bytes();
}

std::size_t MadeEvents::memory_bytes() const { return text_.capacity() + columns_.memory_bytes(); }

}  // namespace logflume
