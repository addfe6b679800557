#include "buffer/buffered_batch.h"

#include <gtest/gtest.h>

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
  other[0] = 2;
  EXPECT_FALSE(BufferedBatch::decode(other, 3)) << "another version";

  const auto batch = sample();
  batch->event_ends = {19, 5, 24};
  EXPECT_FALSE(BufferedBatch::decode(payload_of(*batch), 3)) << "ends that go back";
  batch->event_ends = {5, 19, 25};
  EXPECT_FALSE(BufferedBatch::decode(payload_of(*batch), 3)) << "an end behind the text";
}

}  // namespace
}  // namespace logflume
