#include "buffer/disk_buffer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/temp_dir_for_test.h"
#include "buffer/buffer_state.h"
#include "buffer/disk_buffer_test_fixture.h"
#include "disk/failing_disk_for_test.h"
#include "disk/segments.h"

namespace logflume {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What outlives a run of the agent.
struct Machine : StoreForTest {
  TempDir dir;
  FailingDisk disk;

  std::string directory() const { return dir / "buffers/out"; }
};

std::vector<std::string> texts_of(const std::vector<Delivery>& deliveries) {
  std::vector<std::string> texts;
  for (const Delivery& delivery : deliveries) texts.emplace_back(delivery.batch->text());
  return texts;
}

TEST(DiskBuffer, HandsOnAtOnceAndAcknowledgesWhatIsDurable) {
  Machine machine;
  Life life(machine);
  life.send("one\n");
  life.take_in();
  EXPECT_THAT(texts_of(life.take()), ElementsAre("one\n"));
  EXPECT_EQ(life.harness.acked(), 0U);
  life.write();
  EXPECT_EQ(life.harness.acked(), 4U);
  EXPECT_TRUE(life.harness.all_acked());
  EXPECT_FALSE(life.buffer.empty());
  EXPECT_EQ(life.buffer.in_sinks_hands(), 1U);
}

TEST(DiskBuffer, WhatTheSinkHasIsAcknowledgedBeforeItIsDurable) {
  Machine machine;
  Life life(machine);
  life.send("one\n");
  life.take_in();
  auto taken = life.take();
  ASSERT_EQ(taken.size(), 1U);
  life.acknowledge(std::move(taken[0]));
  EXPECT_EQ(life.harness.acked(), 4U);
  EXPECT_TRUE(life.buffer.empty());
  EXPECT_EQ(life.gauge("logflume_buffer_events"), 0);
}

TEST(DiskBuffer, AfterACrashWhatIsDurableIsNeitherReadNorWrittenAgain) {
  Machine machine;
  {
    Life life(machine);
    life.send("one\n", 1);
    life.send("two\n", 2);
    life.send("three\n", 1);
    life.work();
    ASSERT_TRUE(life.harness.all_acked());
    // Not committed: a crash.
  }
  EXPECT_EQ(machine.offsets[1], 0U);
  Life life(machine);
  EXPECT_EQ(life.starts[1], 10U);
  EXPECT_EQ(life.starts[2], 4U);
  EXPECT_EQ(machine.offsets[1], 10U) << "in the store, too";
  EXPECT_EQ(life.gauge("logflume_buffer_events"), 3);
  EXPECT_THAT(life.deliver(), ElementsAre("one\n", "two\n", "three\n"));
  EXPECT_TRUE(life.buffer.empty());
  EXPECT_EQ(life.gauge("logflume_buffer_events"), 0);
  life.send("four\n", 2);
  EXPECT_THAT(life.deliver(), ElementsAre("four\n"));
}

TEST(DiskBuffer, WhatIsDoneOutOfOrderIsNotDeliveredAgain) {
  Machine machine;
  {
    Life life(machine);
    for (int i = 0; i < 5; ++i) life.send(std::to_string(i) + "\n", static_cast<std::uint64_t>(i + 1));
    life.work();
    auto taken = life.take();
    ASSERT_EQ(taken.size(), 5U);
    life.acknowledge(std::move(taken[1]));
    life.acknowledge(std::move(taken[3]));
    ASSERT_TRUE(life.commit());
  }
  Life life(machine);
  EXPECT_EQ(life.gauge("logflume_buffer_events"), 3);
  EXPECT_THAT(life.deliver(), ElementsAre("0\n", "2\n", "4\n"));
}

// The same of one file: what is done was not the next of it when the store was told.
TEST(DiskBuffer, WhatIsDoneOutOfOrderIsNotReadAgain) {
  Machine machine;
  {
    Life life(machine);
    life.send("one\n");
    life.send("two\n");
    life.take_in();
    auto taken = life.take();
    ASSERT_EQ(taken.size(), 2U);
    life.acknowledge(std::move(taken[1]));
    ASSERT_TRUE(life.commit());
    life.work();
    ASSERT_TRUE(life.harness.all_acked());
  }
  EXPECT_EQ(machine.offsets[1], 0U);
  Life life(machine);
  EXPECT_EQ(life.starts[1], 8U);
  EXPECT_THAT(life.deliver(), ElementsAre("one\n"));
}

// Goal: what a failed write has left and comes back later, does not stand for what the sink got meanwhile.
// Method: a segment is removed, and as that was not durable it is back after a power failure.
TEST(DiskBuffer, BytesThatComeBackAreAtNobodysPositions) {
  Machine machine;
  DiskBufferConfig config;
  {
    Life life(machine, config);
    life.send("one\n", 1);
    machine.disk.sync_fails = true;
    life.work();
    machine.disk.sync_fails = false;
  }
  const std::string path = segment_path(machine.directory(), 0);
  std::filesystem::rename(path, machine.dir / "aside");
  config.overflow = true;
  {
    Life life(machine, config);
    life.send("two\n", 2);
    EXPECT_THAT(life.deliver(), ElementsAre("two\n"));
    ASSERT_TRUE(life.commit());
  }
  std::filesystem::rename(machine.dir / "aside", path);
  Life life(machine, config);
  EXPECT_EQ(life.starts[1], 0U);
  EXPECT_EQ(life.starts[2], 4U);
  life.send("one\n", 1);
  EXPECT_THAT(life.deliver(), ElementsAre("one\n"));
  EXPECT_TRUE(life.buffer.empty());
  EXPECT_EQ(life.gauge("logflume_buffer_damaged_records_total"), 0);
}

TEST(DiskBuffer, NothingIsWrittenBeforeItsPositionsAreReserved) {
  Machine machine;
  Life life(machine);
  life.commit_fails = true;
  life.send("one\n");
  life.work();
  EXPECT_FALSE(std::filesystem::exists(machine.directory()));
  EXPECT_FALSE(life.harness.all_acked());
  life.commit_fails = false;
  life.pass(1s);
  life.work();
  EXPECT_TRUE(life.harness.all_acked());
  ASSERT_EQ(machine.states.size(), 1U);
  EXPECT_GT(BufferState::decode(machine.states[0].value)->reserved_to, 1U << 20);
}

TEST(DiskBuffer, IsWrittenAgainAfterAFailedSync) {
  Machine machine;
  {
    Life life(machine);
    life.send("one\n");
    life.work();
    life.send("two\n");
    machine.disk.sync_fails = true;
    life.work();
    EXPECT_EQ(life.harness.acked(), 4U);
    EXPECT_NE(life.health().find("Input/output error"), std::string::npos) << life.health();
    machine.disk.sync_fails = false;
    life.work();
    EXPECT_EQ(life.harness.acked(), 4U) << "not before a second has passed";
    life.pass(1s);
    life.work();
    EXPECT_EQ(life.harness.acked(), 8U);
    EXPECT_EQ(life.health(), "");
  }
  Life life(machine);
  EXPECT_THAT(life.deliver(), ElementsAre("one\n", "two\n"));
}

TEST(DiskBuffer, WhatTheSinkDidAfterAFailedSyncIsCommittedBeforeWhatFollowsIsWritten) {
  Machine machine;
  {
    Life life(machine);
    life.send("one\n");
    machine.disk.sync_fails = true;
    life.work();
    machine.disk.sync_fails = false;
    auto taken = life.take();
    ASSERT_EQ(taken.size(), 1U);
    life.acknowledge(std::move(taken[0]));
    life.send("two\n");
    life.pass(1s);
    life.work();
    ASSERT_TRUE(life.harness.all_acked());
  }
  EXPECT_EQ(machine.offsets[1], 4U);
  Life life(machine);
  EXPECT_EQ(life.starts[1], 8U);
  EXPECT_THAT(life.deliver(), ElementsAre("two\n"));
}

TEST(DiskBuffer, GoesOnFromMemoryOnAFullDisk) {
  Machine machine;
  Life life(machine);
  machine.disk.room = 0;
  life.send("one\n");
  life.send("two\n");
  EXPECT_THAT(life.deliver(), ElementsAre("one\n", "two\n"));
  EXPECT_EQ(life.harness.acked(), 8U);
  EXPECT_NE(life.health().find("No space left"), std::string::npos) << life.health();
  machine.disk.room = SIZE_MAX;
  life.pass(1s);
  life.work();
  EXPECT_EQ(life.health(), "") << "nothing waits: the next write tells";
  life.send("three\n");
  life.work();
  EXPECT_TRUE(life.harness.all_acked());
}

// Goal: what is on disk means something after a crash: the store knows the file, and that what is not on disk
// is done.
TEST(DiskBuffer, NothingIsSyncedBeforeTheStoreKnowsItsFile) {
  Machine machine;
  Life life(machine);
  life.commit_fails = true;
  life.send("one\n");
  life.work();
  EXPECT_EQ(life.harness.acked(), 0U);
  EXPECT_THAT(*list_segments(machine.disk, machine.directory()), IsEmpty());
  life.commit_fails = false;
  life.pass(1s);
  life.work();
  EXPECT_EQ(life.harness.acked(), 4U);
}

TEST(DiskBuffer, ReadsAgainWhatIsNoLongerInMemory) {
  Machine machine;
  DiskBufferConfig config;
  config.memory_bytes = 300'000;
  Life life(machine, config);
  std::vector<std::string> sent;
  for (int i = 0; i < 200; ++i) {
    sent.push_back(std::to_string(i) + std::string(20'000, 'x') + "\n");
    life.send(sent.back());
    life.work();
  }
  EXPECT_TRUE(life.harness.all_acked());
  EXPECT_LT(life.harness.budget.used_bytes(), 100U * 1024 * 1024);
  EXPECT_EQ(life.deliver(), sent);
  EXPECT_TRUE(life.buffer.empty());
}

// Goal: memory that is used again for records which need more than a slab is not that of what the sink still
// has.
TEST(DiskBuffer, LargeRecordsThatTheSinkHasStayAsTheyAre) {
  Machine machine;
  constexpr std::size_t kRecords = 60;
  const auto text = [](std::size_t i) {
    std::string line(256 * 1024, static_cast<char>('0' + i % 64));
    line.back() = '\n';
    return line;
  };
  {
    Life life(machine);
    for (std::size_t i = 0; i < kRecords; ++i) {
      life.send(text(i));
      life.work();
    }
    ASSERT_TRUE(life.harness.all_acked());
  }
  Life life(machine);
  std::deque<Delivery> held;
  std::size_t checked = 0;
  for (int idle = 0; idle < 3; ++idle) {
    life.work();
    for (Delivery& delivery : life.take()) {
      held.push_back(std::move(delivery));
      idle = 0;
    }
    for (std::size_t i = 0; i < held.size(); ++i) ASSERT_EQ(held[i].batch->text(), text(checked + i));
    for (; held.size() > 3; ++checked) {
      life.acknowledge(std::move(held.front()));
      held.pop_front();
    }
  }
  EXPECT_EQ(checked + held.size(), kRecords);
}

TEST(DiskBuffer, GivesSpaceBackWhenItIsDurableThatTheSinkIsDone) {
  Machine machine;
  DiskBufferConfig config;
  config.max_bytes = 1024 * 1024;
  Life life(machine, config);
  const std::string line(10'000, 'x');
  for (int i = 0; i < 50; ++i) {
    life.send(line + "\n");
    life.work();
  }
  const auto before = list_segments(machine.disk, machine.directory())->size();
  ASSERT_GT(before, 5U);
  life.commit_fails = true;
  life.deliver();
  EXPECT_EQ(list_segments(machine.disk, machine.directory())->size(), before);
  life.commit_fails = false;
  life.pass(1s);
  life.write();
  EXPECT_EQ(list_segments(machine.disk, machine.directory())->size(), 1U);
}

class DiskBufferFull : public ::testing::Test {
 protected:
  std::size_t fill(Life& life, int lines) {
    std::size_t sent = 0;
    for (int i = 0; i < lines; ++i) {
      const std::string number = std::to_string(i);
      life.send(number + std::string(19'999 - number.size(), '.') + "\n");
      ++sent;
      life.work();
    }
    return sent;
  }
  static DiskBufferConfig config(WhenFull when_full) {
    DiskBufferConfig config;
    config.max_bytes = 1024 * 1024;
    config.memory_bytes = 300'000;
    config.when_full = when_full;
    return config;
  }
  static std::vector<int> numbers(const std::vector<std::string>& texts) {
    std::vector<int> all;
    for (const std::string& text : texts) all.push_back(std::stoi(text));
    return all;
  }
  // Bytes that were committed as such.
  std::uint64_t given_up(RangeKind kind, std::string_view reason) const {
    std::uint64_t bytes = 0;
    for (const RangeRecord& range : machine_.ranges) {
      if (range.kind == kind && range.reason == reason && range.sink == "out" && range.file_id == 1)
        bytes += range.bytes;
    }
    return bytes;
  }
  static void expect_consecutive(const std::vector<int>& all) {
    for (std::size_t i = 1; i < all.size(); ++i) ASSERT_EQ(all[i], all[i - 1] + 1);
  }
  Machine machine_;
};

TEST_F(DiskBufferFull, BlockLeavesTheRestToTheSource) {
  Life life(machine_, config(WhenFull::kBlock));
  fill(life, 200);
  EXPECT_GT(life.harness.inbox.size_approx(), 100U);
  EXPECT_LE(life.gauge("logflume_buffer_size_bytes"), 1024 * 1024);
  EXPECT_EQ(life.harness.discarded("buffer_full"), 0U);
  const auto all = numbers(life.deliver());
  EXPECT_EQ(all.size(), 200U);
  EXPECT_EQ(all.front(), 0);
  expect_consecutive(all);
}

TEST_F(DiskBufferFull, DropNewestCountsWhatComesIn) {
  Life life(machine_, config(WhenFull::kDropNewest));
  fill(life, 200);
  EXPECT_TRUE(life.harness.inbox.empty());
  const std::uint64_t dropped = life.harness.discarded("buffer_full");
  EXPECT_GT(dropped, 100U);
  const auto all = numbers(life.deliver());
  EXPECT_EQ(all.size() + dropped, 200U);
  EXPECT_EQ(all.front(), 0);
  expect_consecutive(all);
  EXPECT_TRUE(life.harness.all_acked());
  EXPECT_EQ(life.harness.acked(), 200U * 20'000);
  EXPECT_EQ(life.harness.metrics.received_events.value(), 200U);
  ASSERT_TRUE(life.commit());
  EXPECT_EQ(given_up(RangeKind::kDiscarded, "buffer_full"), dropped * 20'000);
}

TEST_F(DiskBufferFull, DropOldestGivesUpSegmentsAndKeepsWhatTheSinkHas) {
  Life life(machine_, config(WhenFull::kDropOldest));
  life.send("0" + std::string(19'998, '.') + "\n");
  life.work();
  auto taken = life.take();
  ASSERT_EQ(taken.size(), 1U);
  fill(life, 200);
  EXPECT_TRUE(life.harness.all_acked());
  EXPECT_LE(life.gauge("logflume_buffer_size_bytes"), 1024 * 1024);
  life.acknowledge(std::move(taken[0]));
  const std::uint64_t dropped = life.harness.discarded("buffer_full");
  EXPECT_GT(dropped, 100U);
  const auto all = numbers(life.deliver());
  EXPECT_EQ(all.size() + dropped + 1, 201U);
  EXPECT_EQ(all.back(), 199);
  EXPECT_TRUE(life.buffer.empty());
  EXPECT_EQ(life.gauge("logflume_buffer_events"), 0);
  EXPECT_EQ(life.harness.metrics.received_events.value(), 201U);
  ASSERT_TRUE(life.commit());
  EXPECT_EQ(given_up(RangeKind::kDiscardedLater, "buffer_full"), dropped * 20'000);
}

// What a sink gives up is told of the file, whether its source keeps it still, the window has it, or the log.
TEST_F(DiskBufferFull, WhatASinkGivesUpIsToldByRange) {
  DiskBufferConfig memory = config(WhenFull::kBlock);
  memory.overflow = true;
  {
    Life life(machine_, memory);  // nothing is written: the source keeps it
    life.send("one\ntwo\n");
    life.work();
    auto taken = life.take();
    ASSERT_EQ(taken.size(), 1U);
    life.outcome_.discarded("refused", taken[0], taken[0].batch->range_of(1, 2), 1);
    ASSERT_TRUE(life.commit());
    EXPECT_TRUE(machine_.ranges.empty()) << "before its delivery is done";
    life.acknowledge(std::move(taken[0]));
    ASSERT_TRUE(life.commit());
    EXPECT_EQ(given_up(RangeKind::kDiscarded, "refused"), 4U);
    EXPECT_EQ(machine_.ranges.back().begin, 4U);
  }
  {
    Life life(machine_, config(WhenFull::kBlock));
    life.send("three\nfour\n");
    life.send("five\n");
    life.work();
    auto taken = life.take();
    ASSERT_EQ(taken.size(), 2U);
    life.outcome_.discarded("refused", taken[0], taken[0].batch->range_of(0, 1), 1);
    life.acknowledge(std::move(taken[0]));
    ASSERT_TRUE(life.commit());
    EXPECT_EQ(given_up(RangeKind::kDiscardedLater, "refused"), 6U);
    EXPECT_EQ(machine_.ranges.back().begin, 8U);
  }
  Life life(machine_, config(WhenFull::kBlock));  // from the log
  life.work();
  auto taken = life.take();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].batch->in_file.begin, 19U);
  life.outcome_.discarded("refused", taken[0], taken[0].batch->range_of(0, 1), 1);
  life.acknowledge(std::move(taken[0]));
  ASSERT_TRUE(life.commit());
  EXPECT_EQ(given_up(RangeKind::kDiscardedLater, "refused"), 11U);
  EXPECT_EQ(machine_.ranges.back().begin, 19U);
  EXPECT_EQ(machine_.ranges.back().end, 24U);
}

class DiskBufferDamaged : public ::testing::Test {
 protected:
  DiskBufferDamaged() {
    Life life(machine_);
    life.send("one\n");
    life.send("two\nand\n");
    life.send("three\n");
    life.work();
    EXPECT_TRUE(life.commit());
  }
  // Changes a byte so many bytes behind `text`'s first one.
  void damage(std::string_view text, std::ptrdiff_t at) {
    const std::string path = segment_path(machine_.directory(), 0);
    std::ifstream in(path, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), {}};
    const std::size_t found = bytes.find(text);
    ASSERT_NE(found, std::string::npos);
    char& byte = bytes[static_cast<std::size_t>(static_cast<std::ptrdiff_t>(found) + at)];
    byte = static_cast<char>(byte ^ 1);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }
  Machine machine_;
};

TEST_F(DiskBufferDamaged, ARecordIsPassedByCountedAndKeptAside) {
  damage("two\nand\n", 0);
  Life life(machine_);
  EXPECT_THAT(life.deliver(), ElementsAre("one\n", "three\n"));
  EXPECT_EQ(life.gauge("logflume_buffer_damaged_records_total"), 1);
  EXPECT_EQ(life.harness.discarded("buffer_damaged"), 2U);
  EXPECT_TRUE(life.buffer.empty());
  EXPECT_EQ(life.gauge("logflume_buffer_events"), 0);
  EXPECT_FALSE(std::filesystem::is_empty(machine_.directory() + "/damaged"));
}

// Goal: what was acknowledged as durable and is gone is counted, however little is left to tell of it.
TEST_F(DiskBufferDamaged, ALostEndIsCounted) {
  const std::string path = segment_path(machine_.directory(), 0);
  const auto first =
      static_cast<std::uintmax_t>(record_bytes(56 + 4 + 3 + 16 + 4));  // "one\n" of app, /var/log/app.log
  const auto end = std::filesystem::file_size(path);
  for (const std::uintmax_t size : {std::uintmax_t{0}, 32 + first, end - 8}) {
    const auto states = machine_.states;
    const auto offsets = machine_.offsets;
    const std::string kept = machine_.dir / "kept";
    std::filesystem::copy_file(path, kept);
    std::filesystem::resize_file(path, size);
    {
      Life life(machine_);
      const auto texts = life.deliver();
      std::size_t delivered = 0;
      for (const std::string& text : texts)
        delivered += static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
      EXPECT_EQ(texts.size(), size == 0 ? 0U : size == 32 + first ? 1U : 2U);
      EXPECT_EQ(life.harness.discarded("buffer_damaged"), 4 - delivered) << size;
      EXPECT_EQ(life.harness.metrics.received_events.value(), 4U) << size;
      EXPECT_GE(life.gauge("logflume_buffer_damaged_records_total"), 1) << size;
      EXPECT_GE(life.gauge("logflume_buffer_damaged_bytes_total"), 60) << size;
      EXPECT_TRUE(life.buffer.empty());
      EXPECT_EQ(life.gauge("logflume_buffer_events"), 0);
    }
    std::filesystem::rename(kept, path);
    machine_.states = states;
    machine_.offsets = offsets;
  }
}

TEST_F(DiskBufferDamaged, WhatARepairFoundLostIsCountedOnce) {
  for (SinkStateRecord& state : machine_.states) {
    auto decoded = BufferState::decode(state.value);
    ASSERT_TRUE(decoded);
    decoded->lost_events = 7;
    state.value = decoded->encode();
  }
  for (const std::uint64_t counted : {7U, 0U}) {
    Life life(machine_);
    EXPECT_EQ(life.harness.discarded("buffer_damaged"), counted);
    EXPECT_EQ(life.harness.metrics.received_events.value(), counted);
  }
}

TEST_F(DiskBufferDamaged, OneThatCannotBeReadIsTriedAgain) {
  Life life(machine_);
  machine_.disk.read_fails = true;
  EXPECT_THAT(life.deliver(), IsEmpty());
  EXPECT_NE(life.health().find("Input/output error"), std::string::npos) << life.health();
  EXPECT_FALSE(life.buffer.empty());
  machine_.disk.read_fails = false;
  life.pass(1s);
  EXPECT_THAT(life.deliver(), ElementsAre("one\n", "two\nand\n", "three\n"));
  EXPECT_EQ(life.health(), "");
}

TEST_F(DiskBufferDamaged, AStateThatCannotBeReadCostsNothing) {
  for (SinkStateRecord& state : machine_.states) state.value = "nonsense";
  Life life(machine_);
  EXPECT_THAT(life.deliver(), ElementsAre("one\n", "two\nand\n", "three\n"));
}

TEST(DiskBuffer, OverflowWritesWhenMemoryIsFullUntilTheSinkHasCaughtUp) {
  Machine machine;
  DiskBufferConfig config;
  config.overflow = true;
  Life life(machine, config);
  life.harness.ledger.set_inflight_max(8 * 1024 * 1024);  // less than the window, as in an agent
  const std::string text = std::string(256 * 1024 - 1, 'x') + "\n";
  std::size_t sent = 0;
  for (;;) {
    life.send(text);
    ++sent;
    life.take_in();
    if (!life.harness.ledger.has_room_again()) break;
    life.write();
    ASSERT_THAT(*list_segments(machine.disk, machine.directory()), IsEmpty());
  }
  life.write();
  EXPECT_GE(sent, 20U);
  EXPECT_THAT(*list_segments(machine.disk, machine.directory()), ::testing::Not(IsEmpty()));
  EXPECT_TRUE(life.harness.all_acked());
  EXPECT_EQ(life.deliver().size(), sent);
  const auto written = life.gauge("logflume_buffer_written_bytes_total");
  life.send("small\n");
  life.work();
  EXPECT_EQ(life.gauge("logflume_buffer_written_bytes_total"), written);
  life.buffer.drain();
  life.work();
  EXPECT_TRUE(life.harness.all_acked()) << "at the stop what is in memory is written";
  EXPECT_GT(life.gauge("logflume_buffer_written_bytes_total"), written);
}

// What holds the front up holds up nothing else: the sources have room, but the window has none.
TEST(DiskBuffer, OverflowWritesWhenTheWindowIsFullOfWhatWasDoneOutOfOrder) {
  Machine machine;
  DiskBufferConfig config;
  config.overflow = true;
  config.memory_bytes = 300'000;
  Life life(machine, config);
  life.send("stuck\n", 1);
  life.work();
  auto stuck = life.take();
  ASSERT_EQ(stuck.size(), 1U);
  std::string line(20'000, 'x');
  line.back() = '\n';
  for (int i = 0; i < 50; ++i) {
    life.send(line, 2);
    EXPECT_EQ(life.deliver().size(), 1U) << i;
  }
  life.acknowledge(std::move(stuck[0]));
  life.work();
  EXPECT_TRUE(life.buffer.empty());
  EXPECT_TRUE(life.harness.all_acked());
}

TEST(DiskBuffer, DrainOnlyDeliversWhatWasLeftAndWritesNothing) {
  Machine machine;
  {
    Life life(machine);
    life.send("one\n");
    life.work();
    ASSERT_TRUE(life.commit());
  }
  DiskBufferConfig config;
  config.drain_only = true;
  {
    Life life(machine, config);
    life.send("two\n");
    EXPECT_THAT(life.deliver(), ElementsAre("one\n", "two\n"));
    EXPECT_TRUE(life.harness.all_acked());
    EXPECT_THAT(*list_segments(machine.disk, machine.directory()), IsEmpty()) << "nothing is left";
  }
}

}  // namespace
}  // namespace logflume
