#include "checkpoint/audit_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "base/temp_dir_for_test.h"
#include "checkpoint/audit_history.h"
#include "disk/failing_disk_for_test.h"

namespace logflume {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::int64_t kSecond = 1'000'000'000;

std::vector<BatchNote> random_notes(std::size_t count) {
  std::mt19937_64 random(7);
  std::vector<BatchNote> notes;
  for (std::size_t i = 0; i < count; ++i) {
    // Of all sizes, the extremes included.
    const auto number = [&] { return random() >> (random() % 64); };
    BatchNote note{number(), number(), {number() / 2, 0}, 0, static_cast<std::uint32_t>(number())};
    note.range.end = note.range.begin + number() / 2;
    note.at_ns = static_cast<std::int64_t>(number() / 2) / 1000 * 1000;
    notes.push_back(note);
  }
  return notes;
}

void expect_equal(const BatchNote& a, const BatchNote& b) {
  EXPECT_EQ(a.batch, b.batch);
  EXPECT_EQ(a.file_id, b.file_id);
  EXPECT_EQ(a.range.begin, b.range.begin);
  EXPECT_EQ(a.range.end, b.range.end);
  EXPECT_EQ(a.at_ns, b.at_ns);
  EXPECT_EQ(a.events, b.events);
}

TEST(AuditRecordTest, WhatIsEncodedIsDecoded) {
  const std::vector<BatchNote> notes = random_notes(2000);
  std::string payload;
  encode_batch_notes(BatchStage::kReleased, "bus", notes, payload);
  const auto decoded = decode_batch_notes(payload, 2000);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->stage, BatchStage::kReleased);
  EXPECT_EQ(decoded->component, "bus");
  ASSERT_EQ(decoded->notes.size(), notes.size());
  for (std::size_t i = 0; i < notes.size(); ++i) expect_equal(decoded->notes[i], notes[i]);
}

TEST(AuditRecordTest, BatchesThatFollowEachOtherTakeFewBytes) {
  std::vector<BatchNote> notes;
  for (std::uint64_t i = 0; i < 1000; ++i)
    notes.push_back(
        {1'700'000'000'000'000 + i, 7, {i * 262'000, (i + 1) * 262'000}, 1'700'000'000 * kSecond, 1300});
  std::string payload;
  encode_batch_notes(BatchStage::kRead, "app", notes, payload);
  EXPECT_LT(payload.size(), 10 * notes.size());
}

TEST(AuditRecordTest, WhatIsCutOrChangedIsNoRecordOrAnother) {
  std::string payload;
  encode_batch_notes(BatchStage::kRead, "app", random_notes(3), payload);
  for (std::size_t size = 0; size < payload.size(); ++size)
    EXPECT_FALSE(decode_batch_notes(std::string_view(payload).substr(0, size), 3)) << size;
  EXPECT_FALSE(decode_batch_notes(payload, 2));
  EXPECT_FALSE(decode_batch_notes(payload, 4));
  EXPECT_FALSE(decode_batch_notes(payload + '\0', 3));
  for (const std::size_t at : {std::size_t{0}, std::size_t{1}}) {
    std::string other = payload;
    other[at] = 9;
    EXPECT_FALSE(decode_batch_notes(other, 3));
  }
  std::string names;
  encode_name_notes(std::vector<NameNote>{{7, "/var/log/a.log", -5 * kSecond}, {8, "", 0}}, names);
  for (std::size_t size = 0; size < names.size(); ++size)
    EXPECT_FALSE(decode_name_notes(std::string_view(names).substr(0, size), 2)) << size;
  const auto decoded = decode_name_notes(names, 2);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->at(0).path, "/var/log/a.log");
  EXPECT_EQ(decoded->at(0).until_ns, -5 * kSecond);
}

class AuditJournalTest : public testing::Test {
 protected:
  void open(AuditConfig config = {true, 1 << 20}) {
    journal_ = std::make_unique<AuditJournal>(disk_, dir_.path(), metrics_, log_);
    journal_->configure(config);
  }
  void note(JournalFeed& feed, std::uint64_t begin, std::uint64_t end, std::uint64_t file_id = 7) {
    feed.note({feed.next_batch(), file_id, {begin, end}, wall_now_ns(), 1});
  }
  BatchHistory history(std::uint64_t begin, std::uint64_t end) {
    auto read = read_batch_history(posix_disk(), dir_.path(), 7, {begin, end});
    EXPECT_TRUE(read) << read.error().text();
    return read ? *read : BatchHistory{};
  }
  double dropped() {
    return static_cast<double>(metrics_.counter("logflume_audit_dropped_total", "").value());
  }
  std::uint64_t bytes_on_disk() {
    std::uint64_t sum = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_ / "audit")) {
      if (entry.is_regular_file()) sum += entry.file_size();
    }
    return sum;
  }

  TempDir dir_;
  FailingDisk disk_;
  MetricRegistry metrics_;
  Log log_;
  std::unique_ptr<AuditJournal> journal_;
};

TEST_F(AuditJournalTest, TellsWhatBecameOfABatch) {
  open();
  const auto source = journal_->feed(BatchStage::kRead, "app");
  const auto sink = journal_->feed(BatchStage::kAcknowledged, "bus");
  note(*source, 0, 100);
  note(*source, 100, 200);
  note(*source, 0, 300, 8);
  note(*sink, 0, 100);
  ASSERT_TRUE(journal_->flush_within(60s));
  const BatchHistory first = history(99, 100);
  EXPECT_TRUE(first.has_journal);
  ASSERT_EQ(first.steps.size(), 2u);
  EXPECT_EQ(first.steps[0].component, "app");
  EXPECT_EQ(first.steps[1].component, "bus");
  EXPECT_NE(first.steps[0].note.batch, 0u);
  EXPECT_EQ(history(100, 101).steps.size(), 1u);
  EXPECT_THAT(history(200, 201).steps, IsEmpty());
}

TEST_F(AuditJournalTest, GoesOnBehindWhatAnEarlierRunHasLeft) {
  for (std::uint64_t run = 0; run < 3; ++run) {
    open();
    note(*journal_->feed(BatchStage::kRead, "app"), run * 10, run * 10 + 20);
    journal_.reset();  // writes it
  }
  const BatchHistory found = history(0, 100);
  ASSERT_EQ(found.steps.size(), 3u);
  EXPECT_LT(found.steps[0].note.batch, found.steps[1].note.batch);
  EXPECT_LT(found.steps[1].note.batch, found.steps[2].note.batch);
}

TEST_F(AuditJournalTest, TakesNoMoreThanItMay) {
  open();
  const auto feed = journal_->feed(BatchStage::kRead, "app");
  std::uint64_t at = 0;
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 4000; ++i, at += 1 << 20) note(*feed, at, at + (1 << 20));
    ASSERT_TRUE(journal_->flush_within(60s));
    ASSERT_LE(bytes_on_disk(), 1u << 20);
  }
  EXPECT_EQ(dropped(), 0);
  EXPECT_THAT(history(0, 1).steps, IsEmpty()) << "the oldest went";
  EXPECT_EQ(history(at - 1, at).steps.size(), 1u);
  EXPECT_EQ(history(at - 50'000ULL * (1 << 20), at).steps.size(), BatchHistory::kStepsMax);
}

TEST_F(AuditJournalTest, KeepsTheLastNamesOfAFile) {
  open();
  journal_->note_name({7, "/a.log", 1 * kSecond});
  journal_->note_name({8, "/b.log", 2 * kSecond});
  journal_->note_name({7, "/a.log.1", 3 * kSecond});
  journal_->note_name({7, "/a.log", 4 * kSecond});
  ASSERT_TRUE(journal_->flush_within(60s));
  const auto names = read_former_names(posix_disk(), dir_.path());
  ASSERT_TRUE(names);
  std::vector<std::string> of_seven;
  for (const NameNote& name : names->at(7)) of_seven.push_back(name.path);
  EXPECT_THAT(of_seven, ElementsAre("/a.log.1", "/a.log"));
  EXPECT_EQ(names->at(8).size(), 1u);
}

TEST_F(AuditJournalTest, WhatIsOffNotesNothingAndWritesNothing) {
  open({false, 1 << 20});
  const auto feed = journal_->feed(BatchStage::kRead, "app");
  EXPECT_FALSE(feed->on());
  EXPECT_EQ(feed->next_batch(), 0u);
  journal_->note_name({7, "/a.log", 1});
  EXPECT_FALSE(journal_->flush_within(60s));
  journal_.reset();
  EXPECT_FALSE(std::filesystem::exists(dir_ / "audit"));
  const BatchHistory none = history(0, 1);
  EXPECT_FALSE(none.has_journal);
}

TEST_F(AuditJournalTest, WhatHasNoRoomIsCounted) {
  open({false, 1 << 20});  // nobody takes anything
  const auto feed = journal_->feed(BatchStage::kRead, "app");
  for (std::size_t i = 0; i < JournalFeed::kNotesMax + 5; ++i) feed->note({1, 7, {i, i + 1}, 1, 1});
  journal_->configure({true, 1 << 20});
  ASSERT_TRUE(journal_->flush_within(60s));
  EXPECT_EQ(dropped(), 5);
}

TEST_F(AuditJournalTest, AFullDiskIsCountedAndDoesNoHarm) {
  disk_.room = 0;
  open();
  const auto feed = journal_->feed(BatchStage::kRead, "app");
  note(*feed, 0, 1);
  EXPECT_FALSE(journal_->flush_within(60s));
  EXPECT_EQ(dropped(), 1);
  journal_.reset();
  disk_.room = SIZE_MAX;
  open();
  note(*journal_->feed(BatchStage::kRead, "app"), 1, 2);
  EXPECT_TRUE(journal_->flush_within(60s));
  EXPECT_THAT(history(0, 1).steps, IsEmpty());
  EXPECT_EQ(history(1, 2).steps.size(), 1u);
}

TEST_F(AuditJournalTest, ADamagedPlaceCostsTheRecordsInIt) {
  open();
  const auto feed = journal_->feed(BatchStage::kRead, "app");
  for (std::uint64_t i = 0; i < 3; ++i) {
    note(*feed, i, i + 1);
    ASSERT_TRUE(journal_->flush_within(60s));
  }
  journal_.reset();
  for (const auto& entry : std::filesystem::directory_iterator(audit_batches_directory(dir_.path()))) {
    auto file = posix_disk().open(entry.path().string(), DiskOpen::kWrite);
    ASSERT_TRUE(file);
    char byte = '\x55';
    iovec piece{&byte, 1};
    ASSERT_TRUE(
        write_all(**file, kSegmentHeaderBytes + record_bytes(1) + kRecordHeaderBytes + 40, {&piece, 1}));
  }
  const BatchHistory found = history(0, 10);
  EXPECT_EQ(found.damaged, 1u);
  EXPECT_EQ(found.steps.size(), 2u);
}

}  // namespace
}  // namespace logflume
