#include "transform/open_event.h"

#include <algorithm>
#include <array>
#include <utility>

#include "event/slab.h"

namespace logflume {
namespace {

constexpr std::uint32_t kOverheadBytes = 1024;  // of a batch in a sink, about (feeder.cc)

// The seam in front of the byte `at` of the batch's text.
Seam seam_at(const Batch& batch, std::size_t at) {
  if (at >= Seam::kBytesMax) return Seam::before(batch.data + at, at);
  const std::string_view before = batch.seam_before.view();
  const std::size_t taken = std::min(before.size(), Seam::kBytesMax - at);
  std::array<char, Seam::kBytesMax> bytes;
  before.substr(before.size() - taken).copy(bytes.data(), taken);
  batch.text().copy(bytes.data() + taken, at);
  return Seam(std::string_view(bytes.data(), taken + at));
}

// Where the row's line stands in the file. Bytes that were skipped go with the line that stands beside them.
FileRange place_of(const Frame& frame, std::uint32_t row) {
  const Batch& batch = *frame.batch;
  const bool last = row + 1 == frame.lines->size();
  return {row == 0 ? batch.in_file.begin : batch.text_begin + frame.lines->begin_of(row),
          last ? batch.in_file.end : batch.text_begin + frame.lines->end_of(row)};
}

}  // namespace

void OpenEvent::begin(const Frame& frame, std::uint32_t row, const FrameField* judged) {
  const Batch& batch = *frame.batch;
  message_is_line = frame.message_is_line;
  hidden = frame.hidden;
  again = frame.again;
  origin = batch.origin;
  wall_ns = batch.wall_ns;
  read_at = batch.read_at;
  in_file.begin = place_of(frame, row).begin;
  seam = batch.in_file.begin == in_file.begin ? batch.seam_before
                                              : seam_at(batch, in_file.begin - batch.text_begin);
  for (const FrameField& field : frame.fields) {
    const FieldValueRef value = field.find(row);
    if (value.kind == ValueKind::kMissing) continue;
    Field& kept = fields.emplace_back();
    kept.object = field.object;
    kept.name = field.name;
    kept.kind = value.kind;
    if (&field == judged) {
      judged_field = fields.size() - 1;
    } else if (is_text(value.kind)) {
      kept.text = value.text();
    } else {
      kept.slot = value.slot;
    }
  }
}

void OpenEvent::reach(const Frame& frame, std::uint32_t row) {
  const Batch& batch = *frame.batch;
  in_file.end = place_of(frame, row).end;
  end_seam = in_file.end == batch.in_file.end ? batch.seam : seam_at(batch, in_file.end - batch.text_begin);
}

std::size_t OpenEvent::memory_bytes() const {
  std::size_t bytes = sizeof *this + line.capacity() + text.capacity() + fields.capacity() * sizeof(Field);
  for (const Field& field : fields)
    bytes += field.object.capacity() + field.name.capacity() + field.text.capacity();
  return bytes;
}

bool OpenEvents::empty() const {
  return std::ranges::none_of(by_join, [](const auto& event) { return event != nullptr; });
}

OpenEvents OpenEvents::copy() const {
  OpenEvents made;
  for (const auto& event : by_join)
    made.by_join.push_back(event ? std::make_unique<OpenEvent>(*event) : nullptr);
  return made;
}

// What an event is depends on its lines, and these are told by where the first one stands.
bool OpenEvents::same(const OpenEvents& other) const {
  return std::ranges::equal(by_join, other.by_join, [](const auto& a, const auto& b) {
    return a == nullptr || b == nullptr ? a == b : a->in_file.begin == b->in_file.begin;
  });
}

std::size_t OpenEvents::memory_bytes() const {
  std::size_t bytes = 0;
  for (const auto& event : by_join) bytes += event ? event->memory_bytes() : 0;
  return bytes;
}

void JoinedEvent::build(OpenEvent event, EventIndex& lines) {
  event_ = std::move(event);
  const std::size_t line_bytes = event_.line.size();
  event_.line += '\n';
  const std::size_t bytes = event_.line.size();
  event_.line.append(Slab::kPadBytes, '\0');

  auto* const batch = new Batch;
  batch_ = BatchRef(batch);
  batch->data = event_.line.data();
  batch->bytes = bytes;
  batch->events = 1;
  batch->event_ends = {static_cast<std::uint32_t>(line_bytes)};
  batch->origin = event_.origin;
  batch->in_file = event_.in_file;
  batch->text_begin = event_.in_file.begin;
  batch->seam_before = event_.seam;
  batch->seam = event_.end_seam;
  batch->wall_ns = event_.wall_ns;
  batch->read_at = event_.read_at;
  batch->overhead_bytes = kOverheadBytes;
  lines.build(*batch_);

  columns_.begin(batch->text(), 1);
  frame_.clear();
  frame_.batch = batch;
  frame_.lines = &lines;
  frame_.message_is_line = event_.message_is_line;
  frame_.hidden = event_.hidden;
  frame_.again = event_.again;
  frame_.rows.push_back(0);
  if (event_.judged_field != SIZE_MAX) event_.fields[event_.judged_field].text = std::move(event_.text);
  std::string name;  // no two columns may have the same
  for (const OpenEvent::Field& field : event_.fields) {
    name.assign(field.object).append(1, '\0').append(field.name);
    Column& column = columns_.at(columns_.index_of(name));
    Slot slot = field.slot;
    if (is_text(field.kind)) {
      TextRef ref;
      if (!columns_.copy(field.text, ref)) continue;  // 2 GiB are full
      slot = Slot::of(ref);
    }
    column.add(0, field.kind, slot);
    frame_.fields.push_back({field.object, field.name, &columns_, &column, nullptr});
  }
  frame_.count_bytes();
}

}  // namespace logflume
