#include "buffer/stored_view.h"

#include <algorithm>
#include <cstring>

namespace logflume {
namespace {

constexpr std::uint8_t kMessageIsLine = 1;
constexpr std::uint32_t kFramesMax = 4096;
constexpr auto kKindMax = static_cast<std::uint8_t>(ValueKind::kJson);

// The same steps count bytes, or write them.
struct Counted {
  std::uint64_t bytes = 0;
  void put(const void* /*data*/, std::size_t size) { bytes += size; }
};
struct Written {
  std::string& out;
  void put(const void* data, std::size_t size) { out.append(static_cast<const char*>(data), size); }
};

template <typename Out, typename T>
void put_number(Out& out, T value) {
  out.put(&value, sizeof value);
}

template <typename Out>
void put_text(Out& out, std::string_view text) {
  put_number(out, static_cast<std::uint32_t>(text.size()));
  out.put(text.data(), text.size());
}

template <typename Out>
void put_field(const FrameField& field, const std::vector<std::uint32_t>& rows, Out& out) {
  put_text(out, field.object);
  put_text(out, field.name);
  for (const std::uint32_t row : rows) {
    const FieldValueRef value = field.find(row);
    put_number(out, static_cast<std::uint8_t>(value.kind));
    if (value.kind == ValueKind::kMissing || value.kind == ValueKind::kNull) continue;
    if (is_text(value.kind)) {
      put_text(out, value.text());
    } else {
      put_number(out, value.slot.integer);
    }
  }
}

template <typename Out>
void put_view(const EventView& view, Out& out) {
  put_number(out, static_cast<std::uint32_t>(view.frames().size()));
  // The events of each frame, by their place among those of the view.
  std::vector<std::vector<std::uint32_t>> places(view.frames().size());
  for (std::uint32_t i = 0; i < view.size(); ++i) places[view[i].frame].push_back(i);
  for (std::size_t i = 0; i < view.frames().size(); ++i) {
    const Frame& frame = *view.frames()[i];
    put_number(out, static_cast<std::uint8_t>(frame.message_is_line ? kMessageIsLine : 0));
    put_number(out, frame.hidden);
    put_number(out, static_cast<std::uint32_t>(places[i].size()));
    out.put(places[i].data(), places[i].size() * sizeof(std::uint32_t));
    put_number(out, static_cast<std::uint32_t>(frame.fields.size()));
    for (const FrameField& field : frame.fields) put_field(field, frame.rows, out);
  }
}

// Reads, and never beyond the end.
class Reader {
 public:
  Reader(std::string_view payload, std::size_t at) : payload_(payload), at_(at) {}
  bool good() const { return good_; }
  bool at_end() const { return good_ && at_ == payload_.size(); }
  std::size_t left() const { return payload_.size() - at_; }
  template <typename T>
  T number() {
    T value{};
    if (!good_ || left() < sizeof value) {
      good_ = false;
      return value;
    }
    std::memcpy(&value, payload_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::string_view text() {
    const auto size = number<std::uint32_t>();
    if (!good_ || left() < size) {
      good_ = false;
      return {};
    }
    const std::string_view text = payload_.substr(at_, size);
    at_ += size;
    return text;
  }

 private:
  const std::string_view payload_;
  std::size_t at_;
  bool good_ = true;
};

bool read_field(Reader& reader, const Frame& frame, Columns& columns, Column& column) {
  for (const std::uint32_t row : frame.rows) {
    const auto kind = reader.number<std::uint8_t>();
    if (kind > kKindMax) return false;
    const auto value = static_cast<ValueKind>(kind);
    Slot slot = Slot::null();
    if (is_text(value)) {
      const std::string_view text = reader.text();
      if (reader.good()) slot = Slot::of(columns.ref(text));
    } else if (value != ValueKind::kMissing && value != ValueKind::kNull) {
      slot.integer = reader.number<std::int64_t>();
    }
    if (!reader.good()) return false;
    column.add(row, value, slot);
  }
  return true;
}

}  // namespace

void append_view_text(const EventView& view, std::string& text, std::vector<std::uint32_t>& ends) {
  const std::size_t begin = text.size();
  for (std::size_t i = 0; i < view.size(); ++i) {
    text.append(view.line(i));
    ends.push_back(static_cast<std::uint32_t>(text.size() - begin));
    text.push_back('\n');
  }
}

std::uint64_t view_bytes(const Batch& batch) {
  Counted counted;
  put_view(*batch.view, counted);
  return counted.bytes;
}

void append_view(const Batch& batch, std::string& out) {
  Written written{out};
  put_view(*batch.view, written);
}

bool StoredView::decode(std::string_view payload, std::size_t at, std::uint32_t events) {
  if (payload.size() > TextRef::kOffsetMax) return false;
  Reader reader(payload, at);
  const auto frames = reader.number<std::uint32_t>();
  if (!reader.good() || frames == 0 || frames > kFramesMax) return false;
  frames_.resize(frames);
  std::vector<bool> seen(events, false);
  std::size_t total = 0;
  for (Frame& frame : frames_) {
    frame.message_is_line = (reader.number<std::uint8_t>() & kMessageIsLine) != 0;
    frame.hidden = reader.number<std::uint8_t>();
    const auto rows = reader.number<std::uint32_t>();
    if (!reader.good() || rows > events) return false;
    std::int64_t last = -1;
    for (std::uint32_t i = 0; i < rows; ++i) {
      const auto row = reader.number<std::uint32_t>();
      if (!reader.good() || row >= events || row <= last || seen[row]) return false;
      seen[row] = true;
      last = row;
      frame.rows.push_back(row);
    }
    total += rows;
    const auto fields = reader.number<std::uint32_t>();
    Columns& columns = *columns_.emplace_back(std::make_unique<Columns>());
    columns.begin(payload, events);
    for (std::uint32_t i = 0; i < fields; ++i) {
      const std::string_view object = reader.text();
      const std::string_view name = reader.text();
      if (!reader.good() || frame.find(name, object) != nullptr) return false;
      // Two objects may have keys of one name: a column is found by its place.
      std::string own(object);
      own.append(1, '\0').append(name);
      Column& column = columns.at(columns.index_of(own));
      if (!read_field(reader, frame, columns, column)) return false;
      frame.fields.push_back({object, name, &columns, &column, nullptr});
    }
  }
  return total == events && reader.at_end();
}

void StoredView::attach(const Batch& batch) {
  lines_.build(batch);
  std::vector<const Frame*> shown;
  for (Frame& frame : frames_) {
    frame.batch = &batch;
    frame.lines = &lines_;
    frame.count_bytes();
    shown.push_back(&frame);
  }
  view_.set(shown);
}

}  // namespace logflume
