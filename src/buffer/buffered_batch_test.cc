#include "buffer/buffered_batch.h"

#include <gtest/gtest.h>

#include "buffer/stored_view.h"

namespace logflume {
namespace {

std::string payload_of(const Batch& batch) {
  std::string head;
  std::vector<iovec> pieces;
  encode(batch, head, pieces);
  std::string payload;
  for (const iovec& piece : pieces) payload.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  EXPECT_EQ(payload.size(), encoded_bytes(batch));
  return payload;
}

const std::string kText = "first\nsecond\nin two\nlast";

IntrusivePtr<Batch> sample() {
  IntrusivePtr<Batch> batch(new Batch);
  batch->data = kText.data();
  batch->bytes = kText.size();
  batch->events = 3;
  batch->unterminated = batch->strip_cr = true;
  batch->event_ends = {5, 19, 24};
  batch->origin = std::make_shared<const Origin>(Origin{"app", "/var/log/a b.log", 42});
  batch->owed = {1000, 1024};
  batch->seam = Seam::before(kText.data() + kText.size(), kText.size());
  batch->wall_ns = 1'767'323'045'678'901'234;
  return batch;
}

TEST(BufferedBatch, IsReadBackAsItWasWritten) {
  const std::string payload = payload_of(*sample());
  const auto back = BufferedBatch::decode(payload, 3);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->file_id, 42U);
  EXPECT_EQ(back->owed.begin, 1000U);
  EXPECT_EQ(back->owed.end, 1024U);
  EXPECT_EQ(back->seam.view(), kText);
  EXPECT_EQ(back->wall_ns, 1'767'323'045'678'901'234);
  EXPECT_TRUE(back->unterminated);
  EXPECT_FALSE(back->truncated);
  EXPECT_TRUE(back->strip_cr);
  EXPECT_EQ(back->source, "app");
  EXPECT_EQ(back->path, "/var/log/a b.log");
  EXPECT_EQ(back->event_ends, (std::vector<std::uint32_t>{5, 19, 24}));
  EXPECT_EQ(back->text, kText);
}

TEST(BufferedBatch, IsNotReadFromAnythingElse) {
  const std::string payload = payload_of(*sample());
  for (std::size_t size = 0; size < payload.size(); ++size) {
    EXPECT_FALSE(BufferedBatch::decode(payload.substr(0, size), 3)) << size;
  }
  EXPECT_FALSE(BufferedBatch::decode(payload + "x", 3));
  EXPECT_FALSE(BufferedBatch::decode(payload, 2)) << "an end for each event";
  std::string other = payload;
  other[0] = 3;
  EXPECT_FALSE(BufferedBatch::decode(other, 3)) << "another version";

  const auto batch = sample();
  batch->event_ends = {19, 5, 24};
  EXPECT_FALSE(BufferedBatch::decode(payload_of(*batch), 3)) << "ends that go back";
  batch->event_ends = {5, 19, 25};
  EXPECT_FALSE(BufferedBatch::decode(payload_of(*batch), 3)) << "an end behind the text";
  batch->event_ends = {5, 5, 24};
  EXPECT_FALSE(BufferedBatch::decode(payload_of(*batch), 3)) << "an event before its own begin";
  batch->event_ends = {5, 18, 24};
  EXPECT_FALSE(BufferedBatch::decode(payload_of(*batch), 3)) << "an end within a line";
  batch->event_ends = {5, 12, 19};
  EXPECT_FALSE(BufferedBatch::decode(payload_of(*batch), 3)) << "text behind the last event";
}

// Two frames over the lines, with values of every kind.
struct Transformed {
  Transformed() {
    batch = sample();
    lines.build(*batch);
    columns.begin(batch->text(), 3);
    const auto add = [&](const char* name, std::size_t row, ValueKind kind, Slot slot) {
      columns.at(columns.index_of(name)).add(row, kind, slot);
    };
    TextRef made;
    EXPECT_TRUE(columns.copy("made", made));
    add("text", 0, ValueKind::kString, Slot::of(columns.ref(batch->text().substr(0, 5))));
    add("text", 2, ValueKind::kJson, Slot::of(made));
    add("number", 0, ValueKind::kInt, Slot::of(std::int64_t{-7}));
    add("number", 1, ValueKind::kDouble, Slot::of(0.5));
    add("number", 2, ValueKind::kTimestamp, Slot::of(std::int64_t{1}));
    add("null", 1, ValueKind::kNull, Slot::null());
    add("flag", 2, ValueKind::kBool, Slot::of(true));
    for (Frame& frame : frames) {
      frame.batch = batch.get();
      frame.lines = &lines;
    }
    frames[0].rows = {0, 2};
    frames[0].message_is_line = false;
    frames[0].hidden = 5;
    frames[1].rows = {2};
    for (const char* name : {"text", "number", "flag"})
      frames[0].fields.push_back({{}, name, &columns, columns.find(name), nullptr});
    frames[1].fields.push_back({"of", "text", &columns, columns.find("text"), nullptr});
    frames[1].fields.push_back({{}, "text", &columns, columns.find("number"), nullptr});
    for (Frame& frame : frames) frame.count_bytes();
    view.set({&frames[0], &frames[1]});
    batch->view = {std::shared_ptr<void>(), &view};
    batch->events = static_cast<std::uint32_t>(view.size());
  }
  IntrusivePtr<Batch> batch;
  EventIndex lines;
  Columns columns;
  Frame frames[2];
  EventView view;
};

TEST(BufferedBatch, KeepsWhatTransformsMadeOfIt) {
  const Transformed made;
  const std::string payload = payload_of(*made.batch);
  const auto back = BufferedBatch::decode(payload, 3);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->text, "first\nlast\nlast\n") << "only the lines that are left";
  EXPECT_EQ(back->text_range().bytes(), kText.size());
  StoredView stored;
  ASSERT_TRUE(stored.decode(payload, payload.size() - back->view.size(), 3));
  IntrusivePtr<Batch> batch(new Batch);
  batch->data = back->text.data();
  batch->bytes = back->text.size();
  batch->events = 3;
  batch->event_ends = back->event_ends;
  stored.attach(*batch);
  const EventView& view = stored.view();
  EXPECT_EQ(view.bytes(), text_bytes(*made.batch));
  ASSERT_EQ(view.size(), 3u);
  for (std::size_t i = 0; i < view.size(); ++i) {
    EXPECT_EQ(view.line(i), made.view.line(i));
    const Frame& frame = *view.frames()[view[i].frame];
    const Frame& before = *made.view.frames()[made.view[i].frame];
    EXPECT_EQ(frame.message_is_line, before.message_is_line);
    EXPECT_EQ(frame.hidden, before.hidden);
    ASSERT_EQ(frame.fields.size(), before.fields.size());
    for (std::size_t field = 0; field < frame.fields.size(); ++field) {
      EXPECT_EQ(frame.fields[field].name, before.fields[field].name);
      EXPECT_EQ(frame.fields[field].object, before.fields[field].object);
      const FieldValueRef is = frame.fields[field].find(view[i].row);
      const FieldValueRef was = before.fields[field].find(made.view[i].row);
      ASSERT_EQ(is.kind, was.kind);
      if (is_text(is.kind)) {
        EXPECT_EQ(is.text(), was.text());
      } else {
        EXPECT_EQ(is.slot.integer, was.slot.integer);
      }
    }
  }
}

TEST(BufferedBatch, AViewIsNotReadFromAnythingElse) {
  const Transformed made;
  const std::string payload = payload_of(*made.batch);
  const auto read = [](const std::string& bytes) {
    const auto back = BufferedBatch::decode(bytes, 3);
    StoredView view;
    return back && view.decode(bytes, bytes.size() - back->view.size(), 3);
  };
  EXPECT_TRUE(read(payload));
  for (std::size_t size = 0; size < payload.size(); ++size)
    EXPECT_FALSE(read(payload.substr(0, size))) << size;
  EXPECT_FALSE(read(payload + "x"));
}

}  // namespace
}  // namespace logflume
