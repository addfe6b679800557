#include "source/read_ahead.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "source/line_reader_model.h"

namespace logflume {
namespace {

constexpr int kRoom = 1 << 20;  // in pieces: as many as come

class ReadAheadTest : public testing::Test {
 protected:
  explicit ReadAheadTest(std::size_t memory = 64 * 1024 * 1024) : budget_(memory) {}
  LineReader make(std::size_t max_bytes, const MultilineConfig& rules = {}) {
    std::optional<EventRules> compiled = rules_of(rules);
    ahead_.reset();
    ahead_.emplace(helpers_, slabs_, parker_, compiled ? compiled->marker() : std::optional<LineMarker>());
    return LineReader(*blocks_, slabs_, max_bytes, std::move(compiled), &*ahead_);
  }
  ReadReport read_some(LineReader& reader, ModelFile& log, ModelSink& out, std::uint64_t limit = UINT64_MAX) {
    ReadRequest request;
    request.position = out.position;
    request.seam = out.seam;
    request.limit = limit;
    request.may_read_ahead = true;
    out.room = kRoom;
    log.file.behind = true;
    for (;;) {
      ReadReport report = reader.read(log.file, request, out);
      if (report.status != ReadStatus::kPending) return report;
      while (!ahead_->has_news()) std::this_thread::yield();
      EXPECT_EQ(ahead_->take_news(), log.file.token);
    }
  }

  MemoryBudget budget_;
  SlabPool slabs_{budget_};
  Parker parker_;
  ReadHelpers helpers_{3};
  std::unique_ptr<BlockReader> blocks_ = make_pread_reader();
  std::optional<ReadAhead> ahead_;
};

// Short lines, some longer than what there is room for in front of a block, and a few longer than a block.
std::string random_backlog(std::mt19937_64& random, std::size_t bytes, bool has_starts) {
  std::string text;
  while (text.size() < bytes) {
    const std::uint64_t kind = random() % 20'000;
    const std::size_t size = kind == 0    ? random() % 600'000
                             : kind < 20  ? random() % 60'000
                             : kind < 500 ? random() % 3000
                                          : random() % 300;
    constexpr std::string_view kHeads[] = {"#", "\tat ", "\tat ", "7", "java.Error: ", " ", "", ""};
    if (has_starts) text += kHeads[random() % std::size(kHeads)];
    text.append(size, static_cast<char>('a' + random() % 26));
    text += '\n';
  }
  return text;
}

// Goal: what is read ahead gives the same events as the whole text. Method: against a split of it, by lines,
// patterns and a preset, with limits that cut and with files that grow meanwhile.
TEST_F(ReadAheadTest, EventsAreThoseOfTheWholeText) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 9; ++round) {
    SCOPED_TRACE(round);
    MultilineConfig rules;
    if (round == 1 || round == 2) rules.start_pattern = "^#";
    if (round == 3) rules.continue_pattern = "^[^#].[a-y]";
    if (round == 4) rules.end_pattern = "z$";
    if (round > 4) rules.preset = MultilinePreset::kJava;
    if (round == 6) rules.max_lines = 3;
    if (round == 7) rules.max_bytes = 5000;
    const std::size_t max_bytes = round % 2 == 0 ? 1'000'000 : 2000;
    LineReader reader = make(max_bytes, rules);
    const std::string text = random_backlog(random, 12'000'000, rules.enabled());
    ModelFile log;
    log.file.token = static_cast<std::uint64_t>(round) + 1;
    ModelSink out;
    const std::size_t first = text.size() / 2;
    log.append(std::string_view(text).substr(0, first));
    ASSERT_EQ(read_to_end(reader, log, out, SlabPool::kSlabBytes, kRoom, false).status, ReadStatus::kEnd);
    log.append(std::string_view(text).substr(first));
    ASSERT_EQ(read_to_end(reader, log, out, SlabPool::kSlabBytes, kRoom, true).status, ReadStatus::kEnd);
    ahead_->drop(log.file.fd.get());
    EXPECT_TRUE(out.intact);
    EXPECT_EQ(out.position, text.size());
    const auto expected = model_events(text, max_bytes, rules);
    ASSERT_EQ(out.events.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_TRUE(out.events[i] == expected[i]) << i;
  }
}

TEST_F(ReadAheadTest, LinesThatAreVeryShortAreReadToo) {
  MultilineConfig rules;
  rules.start_pattern = "^#";
  LineReader reader = make(1000, rules);
  std::mt19937_64 random(12);
  std::string text;
  while (text.size() < 6'000'000) text += random() % 4 == 0 ? "#\n" : "\n";
  ModelFile log;
  log.append(text);
  ModelSink out;
  ASSERT_EQ(read_to_end(reader, log, out, SlabPool::kSlabBytes, kRoom, true).status, ReadStatus::kEnd);
  EXPECT_TRUE(out.intact);
  EXPECT_TRUE(out.events == model_events(text, 1000, rules));
  reader.release();
}

// Goal: a truncation and a growth beyond the position are noticed, and nothing of what stands there now is
// taken for what followed. Method: lines that say where they stand, with blocks read before and after it.
TEST_F(ReadAheadTest, ATruncationInTheMidstIsNoticed) {
  const auto numbered = [](char kind) {
    std::string text;
    for (int i = 0; text.size() < 6'000'000; ++i) text += kind + std::to_string(i) + '\n';
    return text;
  };
  const std::string old_text = numbered('a');
  const std::string new_text = numbered('b');
  for (int reads = 1; reads < 9; ++reads) {
    SCOPED_TRACE(reads);
    LineReader reader = make(1000);
    ModelFile log;
    log.append(old_text);
    ModelSink out;
    for (int i = 0; i < reads; ++i) ASSERT_EQ(read_some(reader, log, out).status, ReadStatus::kMore);
    ASSERT_EQ(::ftruncate(log.file.fd.get(), 0), 0);
    ASSERT_EQ(::lseek(log.file.fd.get(), 0, SEEK_SET), 0);
    if (reads % 3 > 0) log.append(new_text);
    ReadReport report;
    do {
      report = read_some(reader, log, out);
    } while (report.status == ReadStatus::kMore);
    EXPECT_EQ(report.status, ReadStatus::kTruncated);
    EXPECT_TRUE(out.intact);
    std::string got;
    for (const ModelEvent& event : out.events) got += event.text + '\n';
    EXPECT_TRUE(old_text.starts_with(got));
    ahead_->drop(log.file.fd.get());
  }
}

// Goal: sinks at different positions of a file each get all of it, and the one behind does not pass the
// other.
TEST_F(ReadAheadTest, SinksAtDifferentPositionsShareAFile) {
  std::mt19937_64 random(5);
  const std::string text = random_backlog(random, 24'000'000, false);
  LineReader reader = make(1'000'000);
  ModelFile log;
  log.append(text);
  log.file.content->cursors.resize(2);
  ModelSink behind, ahead;
  while (ahead.position < 8'000'000) read_some(reader, log, ahead);
  while (behind.position < text.size()) {
    if (ahead.position < text.size()) read_some(reader, log, ahead);
    for (int i = 0; i < 2 && behind.position < ahead.position; ++i) {
      const std::uint64_t limit = ahead.position;
      read_some(reader, log, behind, limit);
      ASSERT_LE(behind.position, limit);
    }
  }
  EXPECT_TRUE(behind.intact);
  EXPECT_TRUE(ahead.intact);
  EXPECT_EQ(ahead.position, text.size());
  EXPECT_TRUE(behind.events == ahead.events);
  reader.release();
}

// Goal: who waits for a block is told when its window has ended, too.
TEST_F(ReadAheadTest, AWindowThatEndsWakesWhoWaitsForIt) {
  LineReader reader = make(1000);
  ModelFile log;
  log.file.token = 7;
  const std::string line(999, 'x');
  std::string text;
  while (text.size() < 12'000'000) text += line + '\n';
  log.append(text);
  ModelSink out;
  for (int told = 0, tries = 0; told < 10 && tries < 1000; ++tries) {
    ReadRequest request;
    request.position = out.position;
    request.seam = out.seam;
    request.may_read_ahead = true;
    out.room = kRoom;
    const ReadStatus status = reader.read(log.file, request, out).status;
    out.events.clear();
    if (status == ReadStatus::kEnd) out = {};
    if (status != ReadStatus::kPending) continue;
    ++told;
    reader.release();
    EXPECT_TRUE(ahead_->has_news());
    EXPECT_EQ(ahead_->take_news(), 7u);
    EXPECT_FALSE(ahead_->has_news());
  }
  reader.release();
}

class ScarceMemoryTest : public ReadAheadTest {
 protected:
  ScarceMemoryTest() : ReadAheadTest(2 * 1024 * 1024) {}
};

TEST_F(ScarceMemoryTest, ABacklogIsReadWithTheMemoryThatThereIs) {
  std::mt19937_64 random(3);
  const std::string text = random_backlog(random, 12'000'000, false);
  LineReader reader = make(100'000);
  ModelFile log;
  log.append(text);
  ModelSink out;
  ASSERT_EQ(read_to_end(reader, log, out, SlabPool::kSlabBytes, kRoom, true).status, ReadStatus::kEnd);
  EXPECT_TRUE(out.intact);
  EXPECT_EQ(out.position, text.size());
  reader.release();
}

}  // namespace
}  // namespace logflume
