// Goal: whatever the payload of a record in a buffer holds, it is decoded or refused; sinks can encode what
// was decoded, and written once more it is read back as the same. Input: one byte of mode, one for the number
// of events; then a payload, or changes (three bytes each: where, what) to one of the good payloads that are
// made here.
#include <sys/uio.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "buffer/buffered_batch.h"
#include "buffer/stored_view.h"
#include "check.h"
#include "sink/encode.h"

using namespace logflume;

namespace {

constexpr std::uint32_t kGoodEvents = 4;
constexpr std::string_view kGoodText = "first\nsecond\r\nin two\nlines\nlast";

std::string payload_of(const Batch& batch) {
  std::string head;
  std::vector<iovec> pieces;
  encode(batch, head, pieces);
  std::string payload;
  for (const iovec& piece : pieces) payload.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  FUZZ_CHECK(payload.size() == encoded_bytes(batch));
  return payload;
}

IntrusivePtr<Batch> good_batch() {
  IntrusivePtr<Batch> batch(new Batch);
  batch->data = kGoodText.data();
  batch->bytes = kGoodText.size();
  batch->events = kGoodEvents;
  batch->unterminated = true;
  batch->event_ends = {5, 13, 26, 31};
  batch->origin = std::make_shared<const Origin>(Origin{"app", "/var/log/a b.log", 42});
  batch->owed = {1000, 1000 + kGoodText.size()};
  batch->seam = Seam::before(kGoodText.data() + kGoodText.size(), kGoodText.size());
  batch->wall_ns = 1'767'323'045'678'901'234;
  return batch;
}

std::string good_lines() { return payload_of(*good_batch()); }

// Two frames, with a value of each kind.
std::string good_view() {
  const IntrusivePtr<Batch> batch = good_batch();
  EventIndex lines;
  lines.build(*batch);
  Columns columns;
  columns.begin(batch->text(), kGoodEvents);
  const auto add = [&](const char* name, std::size_t row, ValueKind kind, Slot slot) {
    columns.at(columns.index_of(name)).add(row, kind, slot);
  };
  const auto text = [&](std::string_view value) {
    TextRef made;
    FUZZ_CHECK(columns.copy(value, made));
    return Slot::of(made);
  };
  add("a", 0, ValueKind::kString, text("one \"two\"\n\xff"));
  add("a", 1, ValueKind::kInt, Slot::of(std::int64_t{-7}));
  add("a", 2, ValueKind::kDouble, Slot::of(0.5));
  add("a", 3, ValueKind::kTimestamp, Slot::of(std::int64_t{1'767'323'045'678'901'234}));
  add("b", 0, ValueKind::kNumber, text("1e3"));
  add("b", 2, ValueKind::kJson, text("{\"x\":[1,2]}"));
  add("b", 3, ValueKind::kNull, Slot::null());
  add("c", 1, ValueKind::kBool, Slot::of(true));
  add("c", 3, ValueKind::kDuration, Slot::of(std::int64_t{1'500'000'000}));
  Frame frames[2];
  for (Frame& frame : frames) {
    frame.batch = batch.get();
    frame.lines = &lines;
    for (const char* name : {"a", "b", "c"})
      frame.fields.push_back({{}, name, &columns, columns.find(name), nullptr});
  }
  frames[0].rows = {0, 2};
  frames[0].message_is_line = false;
  frames[0].hidden = 5;
  frames[1].rows = {1, 3};
  frames[1].fields.push_back({"of", "a", &columns, columns.find("b"), nullptr});
  for (Frame& frame : frames) frame.count_bytes();
  EventView view;
  view.set({&frames[0], &frames[1]});
  batch->view = {std::shared_ptr<void>(), &view};
  return payload_of(*batch);
}

// As a replay makes it of a record; null when it is refused.
struct Replayed {
  std::string bytes;  // the payload, and what may be read behind it
  std::shared_ptr<StoredView> view;
  IntrusivePtr<Batch> batch;

  Replayed(std::string_view payload, std::uint32_t events) : bytes(payload) {
    bytes.append(64, '"');
    const std::string_view in_place(bytes.data(), payload.size());
    auto stored = BufferedBatch::decode(in_place, events);
    if (!stored) return;
    FUZZ_CHECK(stored->text_range().begin >= stored->owed.begin);
    FUZZ_CHECK(stored->text_range().end <= stored->owed.end);
    IntrusivePtr<Batch> made(new Batch);
    made->data = stored->text.data();
    made->bytes = stored->text.size();
    made->events = events;
    made->unterminated = stored->unterminated;
    made->truncated = stored->truncated;
    made->strip_cr = stored->strip_cr;
    made->event_ends = std::move(stored->event_ends);
    made->origin = std::make_shared<const Origin>(
        Origin{std::string(stored->source), std::string(stored->path), stored->file_id});
    made->owed = made->in_file = stored->owed;
    made->seam = stored->seam;
    made->wall_ns = stored->wall_ns;
    if (!stored->view.empty()) {
      view = std::make_shared<StoredView>();
      const auto at = static_cast<std::size_t>(stored->view.data() - in_place.data());
      if (!view->decode(in_place, at, events)) return;
      view->attach(*made);
      made->view = {view, &view->view()};
    }
    batch = std::move(made);
  }
};

bool ends_as_it_says(const Batch& batch) {
  const bool open = batch.event_ends.empty() ? !batch.text().empty() && batch.text().back() != '\n'
                                             : batch.event_ends.back() == batch.bytes;
  return open == batch.unterminated;
}

void check_sinks(const Batch& batch) {
  for (const Encoding encoding : {Encoding::kRaw, Encoding::kJson, Encoding::kLogfmt, Encoding::kMsgpack}) {
    SinkConfig config;
    config.encoding = encoding;
    BatchEncoder encoder(config, "host");
    std::string whole;
    encoder.append(batch, whole);
    encoder.begin(batch);
    std::string one_by_one;
    for (std::size_t i = 0; i < encoder.events(); ++i) {
      const std::size_t before = one_by_one.size();
      FUZZ_CHECK(encoder.append_event(i, one_by_one) == one_by_one.size() - before);
      if (encoding == Encoding::kJson) FUZZ_CHECK(encoder.event_bytes(i) == one_by_one.size() - before);
    }
    // A text that says of its last event what is not so is written as it stands.
    if (encoding != Encoding::kRaw || batch.view || ends_as_it_says(batch)) FUZZ_CHECK(whole == one_by_one);
  }
}

void check_view(const Batch& batch) {
  const EventView& view = *batch.view;
  FUZZ_CHECK(view.size() == batch.events);
  for (std::size_t i = 0; i < view.size(); ++i) {
    const EventView::Place place = view[i];
    FUZZ_CHECK(place.row == i);
    for (const FrameField& field : view.frames()[place.frame]->fields) {
      const FieldValueRef value = field.find(place.row);
      if (!is_text(value.kind)) continue;
      std::uint8_t sum = 0;
      for (const char c : value.text()) sum = static_cast<std::uint8_t>(sum + static_cast<std::uint8_t>(c));
      volatile std::uint8_t kept = sum;  // every byte was there to be read
      (void)kept;
    }
  }
}

std::string changed(std::string bytes, std::string_view changes) {
  for (; changes.size() >= 3; changes.remove_prefix(3)) {
    const auto high = static_cast<unsigned char>(changes[0]);
    const auto low = static_cast<unsigned char>(changes[1]);
    const std::size_t at = (std::size_t{high} << 8 | low) % (4 * bytes.size());
    if (at < 2 * bytes.size()) {
      bytes[at % bytes.size()] = changes[2];
    } else if (at < 3 * bytes.size()) {
      bytes.insert(at % bytes.size(), 1, changes[2]);
    } else {
      bytes.erase(at % bytes.size(), 1);
    }
    if (bytes.empty()) break;
  }
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string lines = good_lines();
  static const std::string view = good_view();
  if (size < 2) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  const unsigned mode = data[0] % 3;
  const std::string payload = mode == 0 ? std::string(rest) : changed(mode == 1 ? lines : view, rest);
  // Mostly what the good ones have.
  const std::uint32_t events = data[1] < 128 && mode != 0 ? kGoodEvents : data[1];
  const Replayed replayed(payload, events);
  if (mode != 0 && rest.size() < 3 && events == kGoodEvents) FUZZ_CHECK(replayed.batch);
  if (!replayed.batch) return 0;
  const Batch& batch = *replayed.batch;
  if (batch.view) check_view(batch);
  check_sinks(batch);
  // The text of a view may be longer than what it was made of; and a line may lose a CR when it is written.
  if (batch.bytes > batch.owed.bytes()) return 0;
  const Replayed twice(payload_of(batch), events);
  FUZZ_CHECK(twice.batch);
  if (twice.batch->bytes > batch.owed.bytes()) return 0;
  const std::string again = payload_of(*twice.batch);
  const Replayed thrice(again, events);
  FUZZ_CHECK(thrice.batch);
  FUZZ_CHECK(payload_of(*thrice.batch) == again);
  return 0;
}
