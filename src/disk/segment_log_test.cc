#include "disk/segment_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <numeric>
#include <thread>

#include "base/temp_dir_for_test.h"
#include "disk/failing_disk_for_test.h"
#include "disk/segment_repair.h"

namespace logflume {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Read {
  std::vector<std::string> payloads;
  std::vector<std::uint64_t> positions;
  std::vector<LogDamage> damages;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> gaps;
  bool torn = false;
};

class SegmentLogTest : public ::testing::Test {
 protected:
  std::unique_ptr<SegmentLog> open(std::uint64_t synced_to = 0, std::uint64_t segment_bytes = 1 << 20,
                                   std::uint64_t position_min = 0) {
    auto log = SegmentLog::open(posix_disk(), directory_, {segment_bytes, position_min}, synced_to);
    EXPECT_TRUE(log) << log.error().text();
    return std::move(*log);
  }
  static Result<void> append(SegmentLog& log, const std::vector<std::string>& payloads) {
    std::vector<iovec> pieces;
    std::vector<SegmentLog::Record> records;
    pieces.reserve(payloads.size());
    for (const std::string& payload : payloads) {
      pieces.push_back({const_cast<char*>(payload.data()), payload.size()});
      records.push_back({static_cast<std::uint32_t>(payload.size()), {&pieces.back(), 1}});
    }
    return log.append(records);
  }
  static void write(SegmentLog& log, const std::vector<std::string>& payloads) {
    ASSERT_TRUE(append(log, payloads));
    ASSERT_TRUE(log.sync());
  }
  Read read(std::uint64_t from = 0, std::uint64_t limit = UINT64_MAX, std::size_t memory_bytes = 4096) {
    Read all;
    SegmentReader reader(posix_disk(), directory_, from);
    std::string memory(memory_bytes, '\0');
    LogChunk chunk;
    std::map<std::uint64_t, std::uint64_t> parts;  // records, damages and gaps: where each ends
    for (int calls = 0; !chunk.at_end; ++calls) {
      if (calls > 100'000) {
        ADD_FAILURE() << "the reader does not come to an end";
        return all;
      }
      const auto got = reader.read(memory, chunk, limit);
      EXPECT_TRUE(got) << got.error().text();
      if (!got) return all;
      if (chunk.bytes_wanted > memory.size()) memory.resize(chunk.bytes_wanted);
      for (const LogRecord& record : chunk.records) {
        all.payloads.emplace_back(record.payload);
        all.positions.push_back(record.position);
        EXPECT_EQ(record.items, record.payload.size());
        EXPECT_EQ(record.end, record.position + record_bytes(record.payload.size()));
        EXPECT_TRUE(parts.emplace(record.position, record.end).second);
      }
      for (const LogDamage& damage : chunk.damages) {
        if (damage.begin == damage.end) continue;
        EXPECT_TRUE(parts.emplace(damage.begin, damage.end).second);
      }
      for (const LogGap& gap : chunk.gaps) {
        EXPECT_TRUE(parts.emplace(gap.begin, gap.end).second);
        all.gaps.emplace_back(gap.begin, gap.end);
      }
      all.damages.insert(all.damages.end(), chunk.damages.begin(), chunk.damages.end());
      all.torn = chunk.torn;
    }
    std::uint64_t position = from;
    for (const auto& [begin, end] : parts) {
      EXPECT_EQ(begin, position);
      position = end;
    }
    EXPECT_EQ(position, limit == UINT64_MAX ? reader.position() : limit);
    return all;
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      if (entry.is_regular_file()) names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  std::string path(std::uint64_t first) const { return segment_path(directory_, first); }
  static std::string bytes_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void put(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }

  TempDir dir_;
  const std::string directory_ = dir_ / "buffers/bus";
};

TEST_F(SegmentLogTest, GivesBackWhatWasAppended) {
  auto log = open();
  EXPECT_FALSE(std::filesystem::exists(directory_)) << "nothing was written: nothing is made";
  write(*log, {"one", "", "three and more"});
  EXPECT_EQ(log->end(), 40U + 32 + 48);
  EXPECT_EQ(log->synced_end(), log->end());
  const Read all = read();
  EXPECT_THAT(all.payloads, ElementsAre("one", "", "three and more"));
  EXPECT_THAT(all.positions, ElementsAre(0U, 40U, 72U));
  EXPECT_THAT(all.damages, IsEmpty());
  EXPECT_FALSE(all.torn);
  EXPECT_THAT(read(40).payloads, ElementsAre("", "three and more"));
  EXPECT_THAT(read(0, 72).payloads, ElementsAre("one", ""));
  struct stat info {};
  ASSERT_EQ(::stat(path(0).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07, 0U) << "not for everybody to read";
}

// Goal: short and long pieces of many records stand in one file as they came, whatever is copied on the way.
TEST_F(SegmentLogTest, WritesManyRecordsAtOnce) {
  auto log = open(0, 64 << 20);
  std::vector<std::string> payloads;
  for (std::size_t i = 0; i < 500; ++i)
    payloads.emplace_back(i * 37 % 12'000, static_cast<char>('a' + i % 26));
  write(*log, payloads);
  const Read all = read(0, log->end(), 64 * 1024);
  EXPECT_EQ(all.payloads, payloads);
  EXPECT_THAT(all.damages, IsEmpty());
}

TEST_F(SegmentLogTest, GoesOnBehindItsEndAfterARestart) {
  std::uint64_t end = 0;
  {
    auto log = open();
    write(*log, {"one", "two"});
    end = log->end();
  }
  auto log = open(end);
  EXPECT_EQ(log->end(), end);
  write(*log, {"three"});
  EXPECT_THAT(read().payloads, ElementsAre("one", "two", "three"));
  EXPECT_THAT(files(), ElementsAre("00000000000000000000.seg", "00000000000000000080.seg"));
}

TEST_F(SegmentLogTest, RollsSegmentsAndGivesThemBack) {
  auto log = open(0, 4096);
  std::vector<std::string> written;
  for (int i = 0; i < 100; ++i) {
    written.push_back(std::to_string(i) + std::string(400, 'x'));
    write(*log, {written.back()});
  }
  EXPECT_GE(log->segments(), 10U);
  EXPECT_EQ(read().payloads, written);
  std::uint64_t sum = 0;
  for (const std::string& name : files()) sum += std::filesystem::file_size(directory_ + "/" + name);
  EXPECT_EQ(log->size_bytes(), sum);

  const std::uint64_t oldest = *log->oldest_end();
  ASSERT_TRUE(log->drop_before(oldest - 8));
  EXPECT_EQ(log->begin(), 0U);
  ASSERT_TRUE(log->drop_before(oldest));
  EXPECT_EQ(log->begin(), oldest);
  const Read rest = read();
  EXPECT_EQ(rest.positions.front(), oldest) << "the reader goes on behind what was removed";
  ASSERT_TRUE(log->drop_before(log->end()));
  EXPECT_EQ(log->segments(), 1U) << "the one that is written stays";
  EXPECT_FALSE(log->oldest_end());
}

TEST_F(SegmentLogTest, LeavesGaps) {
  auto log = open();
  write(*log, {"one"});
  log->restart_at(4096);
  write(*log, {"two"});
  EXPECT_THAT(read().positions, ElementsAre(0U, 4096U));
  EXPECT_THAT(read(80).positions, ElementsAre(4096U));
  EXPECT_THAT(read().damages, IsEmpty());
  log.reset();
  EXPECT_EQ(open(4096 + 40, 1 << 20, 1'000'001)->end(), 1'000'008U);
}

TEST_F(SegmentLogTest, WhatWasNotSyncedIsNoPartOfItAfterARestartOfTheEnd) {
  auto log = open();
  write(*log, {"one"});
  ASSERT_TRUE(append(*log, {"lost", "too"}));
  EXPECT_EQ(log->synced_end(), 40U);
  log->restart_at(40);
  write(*log, {"again"});
  EXPECT_THAT(read().payloads, ElementsAre("one", "again"));
  EXPECT_THAT(read().positions, ElementsAre(0U, 40U));
}

TEST_F(SegmentLogTest, NothingOfASegmentThatWasNeverSyncedStays) {
  auto log = open();
  ASSERT_TRUE(append(*log, {"lost"}));
  log->restart_at(0);
  write(*log, {"again"});
  EXPECT_THAT(read().payloads, ElementsAre("again"));
}

// Goal: a torn tail is cut at whatever byte it is torn, and no position is used twice.
TEST_F(SegmentLogTest, CutsATornTailAtEveryByte) {
  {
    auto log = open();
    write(*log, {"one", "two", "three"});
  }
  const std::string whole = bytes_of(path(0));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
    put(path(0), whole.substr(0, size));
    const std::size_t kept = size < 72 ? 0 : size < 112 ? 1 : size < 152 ? 2 : 3;
    EXPECT_EQ(read().payloads.size(), kept) << size;
    EXPECT_THAT(read().damages, IsEmpty()) << size;
    auto log = open();
    EXPECT_GE(log->end(), size < 32 ? 0 : size - 32);
    write(*log, {"new"});
    const Read all = read();
    EXPECT_EQ(all.payloads.size(), kept + 1) << size;
    EXPECT_EQ(all.payloads.back(), "new");
    EXPECT_GE(all.positions.back() + 32, size);
    EXPECT_FALSE(all.torn);
    EXPECT_THAT(all.damages, IsEmpty()) << size;
  }
}

// Goal: each flipped bit is found and costs no more than the record that holds it.
TEST_F(SegmentLogTest, FindsAFlippedBitAtEveryByte) {
  const std::vector<std::string> payloads{"one", std::string(100, 'x'), "three", "the fourth"};
  {
    auto log = open();
    write(*log, payloads);
    log->restart_at(log->end());
    write(*log, {"in the next segment"});
  }
  const std::string whole = bytes_of(path(0));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    put(path(0), damaged);
    const Read all = read();
    ASSERT_FALSE(all.payloads.empty()) << at;
    EXPECT_EQ(all.payloads.back(), "in the next segment") << at;
    EXPECT_FALSE(all.torn);
    // In order, and none that was not written.
    auto next = payloads.begin();
    for (std::size_t i = 0; i + 1 < all.payloads.size(); ++i) {
      next = std::find(next, payloads.end(), all.payloads[i]);
      ASSERT_NE(next, payloads.end()) << at;
    }
    if (all.damages.empty()) {
      // Padding, or an unused byte: nothing is lost.
      EXPECT_EQ(all.payloads.size(), payloads.size() + 1) << at;
    } else if (all.damages[0].begin == all.damages[0].end) {
      EXPECT_LT(at, 32U);
      EXPECT_EQ(all.payloads.size(), payloads.size() + 1) << at;
    } else {
      ASSERT_EQ(all.damages.size(), 1U) << at;
      EXPECT_EQ(all.payloads.size(), payloads.size()) << at;
      EXPECT_GE(at, 32 + all.damages[0].begin);
      EXPECT_LT(at, 32 + all.damages[0].end);
      EXPECT_EQ(all.damages[0].segment, 0U);
    }
  }
}

TEST_F(SegmentLogTest, CountsWhatWasInADamagedRecordWhoseHeaderIsGood) {
  {
    auto log = open();
    write(*log, {"one", "twoo", "three"});
  }
  std::string bytes = bytes_of(path(0));
  bytes[32 + 40 + 32] ^= 1;
  put(path(0), bytes);
  Read all = read(0, 120);
  EXPECT_THAT(all.payloads, ElementsAre("one", "three"));
  ASSERT_EQ(all.damages.size(), 1U);
  EXPECT_EQ(all.damages[0].items, 4U);

  bytes[32 + 40] ^= 1;
  put(path(0), bytes);
  all = read(0, 120);
  EXPECT_THAT(all.payloads, ElementsAre("one", "three"));
  ASSERT_EQ(all.damages.size(), 1U);
  EXPECT_EQ(all.damages[0].items, std::nullopt);
  EXPECT_EQ(all.damages[0].begin, 40U);
  EXPECT_EQ(all.damages[0].end, 80U);
}

// Goal: the search for the next header goes over the borders of what is read at once.
TEST_F(SegmentLogTest, SearchesBehindALongDamagedRecord) {
  {
    auto log = open();
    write(*log, {"one", std::string(100'000, 'x'), "three"});
  }
  std::string bytes = bytes_of(path(0));
  bytes[32 + 40] ^= 1;
  put(path(0), bytes);
  const Read all = read();
  EXPECT_THAT(all.payloads, ElementsAre("one", "three"));
  ASSERT_EQ(all.damages.size(), 1U);
  EXPECT_EQ(all.damages[0].begin, 40U);
  EXPECT_EQ(all.damages[0].end, 40 + record_bytes(100'000));
}

TEST_F(SegmentLogTest, DamageAtTheEndIsTornUnlessItWasSynced) {
  std::uint64_t end = 0;
  {
    auto log = open();
    write(*log, {"one", "two"});
    end = log->end();
  }
  std::string bytes = bytes_of(path(0));
  bytes[32 + 40 + 3] ^= 1;
  put(path(0), bytes);
  EXPECT_TRUE(read().torn);
  EXPECT_THAT(read().damages, IsEmpty());
  ASSERT_EQ(read(0, end).damages.size(), 1U);
  // The same at the start: what is known to be durable is kept, for what can be read of it.
  auto log = open(end);
  EXPECT_EQ(log->end(), end);
  EXPECT_EQ(bytes_of(path(0)).size(), bytes.size());
}

// Goal: what was written once and is gone is not passed over in silence, wherever it is missing.
TEST_F(SegmentLogTest, WhatIsGoneIsAGap) {
  std::uint64_t end = 0;
  {
    auto log = open(0, 100);  // two records a segment
    write(*log, {"one", "two"});
    write(*log, {"three", "four"});
    write(*log, {"five"});
    end = log->end();
  }
  ASSERT_EQ(files().size(), 3U);
  const std::string last = bytes_of(path(160));
  std::filesystem::remove(path(80));
  EXPECT_THAT(read(0, end).gaps, ElementsAre(std::pair(80U, 160U)));
  EXPECT_THAT(read(0, end).payloads, ElementsAre("one", "two", "five"));
  put(path(160), last.substr(0, 32));
  EXPECT_THAT(read(0, end).gaps, ElementsAre(std::pair(80U, 160U), std::pair(160U, end)));
  put(path(160), last.substr(0, 32 + 12));
  const Read torn = read(0, end);
  ASSERT_EQ(torn.damages.size(), 1U) << "it was whole once";
  EXPECT_EQ(torn.damages[0].end, 160U + 12U);
  EXPECT_THAT(torn.gaps, ElementsAre(std::pair(80U, 160U), std::pair(172U, end)));
  EXPECT_FALSE(torn.torn);
  std::filesystem::remove_all(directory_);
  EXPECT_THAT(read(40, end).gaps, ElementsAre(std::pair(40U, end)));
}

TEST_F(SegmentLogTest, APayloadCannotPassForARecord) {
  {
    auto log = open();
    // A record that fits its place in all but the salt, within a record whose header is damaged.
    RecordHeader forged;
    forged.position = 32;
    const auto header = forged.encode();
    write(*log, {std::string(header.begin(), header.end()), "two"});
  }
  std::string bytes = bytes_of(path(0));
  bytes[32] ^= 1;
  put(path(0), bytes);
  EXPECT_THAT(read().payloads, ElementsAre("two"));
}

TEST_F(SegmentLogTest, RefusesASegmentOfANewerVersion) {
  SegmentHeader header;
  header.version = 2;
  const auto encoded = header.encode();
  std::filesystem::create_directories(directory_);
  const std::string bytes = std::string(encoded.begin(), encoded.end()) + "something";
  put(path(0), bytes);
  const auto log = SegmentLog::open(posix_disk(), directory_, {}, 0);
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().code, Errc::kUnsupported);
  EXPECT_EQ(bytes_of(path(0)), bytes);
}

TEST_F(SegmentLogTest, KeepsDamageAside) {
  {
    auto log = open();
    write(*log, {"one", "two", "three"});
  }
  std::string bytes = bytes_of(path(0));
  bytes[32 + 40 + 32] ^= 1;
  put(path(0), bytes);
  const Read all = read();
  ASSERT_EQ(all.damages.size(), 1U);
  for (int i = 0; i < 2; ++i) {
    const auto kept = keep_aside(posix_disk(), directory_, all.damages[0]);
    ASSERT_TRUE(kept) << kept.error().text();
    EXPECT_TRUE(*kept);
  }
  EXPECT_EQ(bytes_of(directory_ + "/damaged/40-80"), bytes.substr(32 + 40, 40));
  EXPECT_FALSE(*keep_aside(posix_disk(), directory_, {0, 32 << 20, {}, 0}));
}

// Goal: whatever bit is flipped, after a repair there is no damage, the other records are there, and the
// bytes are kept aside.
TEST_F(SegmentLogTest, IsWholeAfterARepair) {
  std::uint64_t end = 0;
  {
    auto log = open();
    write(*log, {"one", std::string(70'000, 'x'), "three"});
    end = log->end();
  }
  const std::string whole = bytes_of(path(0));
  const std::uint64_t third = 40 + record_bytes(70'000);
  for (const std::size_t at :
       {std::size_t{5}, std::size_t{32 + 5}, std::size_t{32 + 32}, std::size_t{32 + 40},
        std::size_t{32 + 40 + 50'000}, std::size_t{32 + third}, whole.size() - 8}) {
    std::filesystem::remove_all(directory_ + "/damaged");
    std::string damaged = whole;
    damaged[at] ^= 1;
    put(path(0), damaged);
    const Read before = read(0, end);
    ASSERT_EQ(before.damages.size(), 1U) << at;
    const LogDamage& damage = before.damages[0];
    const auto repaired = repair(posix_disk(), directory_, damage);
    ASSERT_TRUE(repaired) << at << repaired.error().text();
    const Read after = read(0, end);
    EXPECT_THAT(after.damages, IsEmpty()) << at;
    EXPECT_EQ(after.payloads, before.payloads) << at;
    EXPECT_EQ(after.positions, before.positions) << at;
    if (damage.begin == damage.end) {
      EXPECT_EQ(bytes_of(path(0)), whole) << "the header is as it was";
    } else {
      EXPECT_EQ(bytes_of(aside_path(directory_, damage)),
                damaged.substr(32 + damage.begin, damage.end - damage.begin));
    }
    // A log goes on behind it.
    auto log = open(end);
    EXPECT_EQ(log->end(), end);
    write(*log, {"four"});
    EXPECT_EQ(read(0, log->end()).payloads.back(), "four");
    std::filesystem::remove(path(end));
  }
}

TEST_F(SegmentLogTest, ASegmentThatIsAllDamageIsFilledAndOneThatLostItsEndIsCut) {
  std::uint64_t end = 0;
  {
    auto log = open();
    write(*log, {"one", "two"});
    end = log->end();
  }
  const std::string whole = bytes_of(path(0));
  put(path(0), std::string(whole.size(), '\xff'));
  Read found = read(0, end);
  ASSERT_EQ(found.damages.size(), 2U) << "the header, and the rest";
  for (const LogDamage& damage : found.damages) ASSERT_TRUE(repair(posix_disk(), directory_, damage));
  found = read(0, end);
  EXPECT_THAT(found.damages, IsEmpty());
  EXPECT_THAT(found.payloads, IsEmpty());

  std::filesystem::remove_all(directory_ + "/damaged");
  put(path(0), whole.substr(0, whole.size() - 3));
  ASSERT_TRUE(repair(posix_disk(), directory_, {40, end - 3, {}, 0}));
  EXPECT_EQ(bytes_of(path(0)), whole.substr(0, 32 + 40));
}

TEST_F(SegmentLogTest, NothingIsRepairedWhoseBytesCannotBeKept) {
  {
    auto log = open();
    write(*log, {"one", "two", "three"});
  }
  std::string bytes = bytes_of(path(0));
  bytes[32 + 40 + 32] ^= 1;
  put(path(0), bytes);
  const LogDamage damage = read().damages.at(0);
  std::filesystem::create_directories(directory_ + "/damaged");
  put(aside_path(directory_, damage), "a part");
  EXPECT_FALSE(repair(posix_disk(), directory_, damage)) << "something else has the name";
  std::filesystem::remove(aside_path(directory_, damage));
  put(directory_ + "/damaged/other", "");
  std::filesystem::resize_file(directory_ + "/damaged/other", 16 << 20);
  EXPECT_FALSE(repair(posix_disk(), directory_, damage)) << "no room";
  EXPECT_EQ(bytes_of(path(0)), bytes);
}

TEST_F(SegmentLogTest, ForeignFilesAreLeftAlone) {
  std::filesystem::create_directories(directory_ + "/00000000000000000008.seg");
  put(directory_ + "/README", "x");
  put(directory_ + "/00000000000000000001.seg", "x");
  put(directory_ + "/99999999999999999999.seg", "x");
  put(directory_ + "/18446744073709551608.seg", "x");
  auto log = open();
  write(*log, {"one"});
  EXPECT_THAT(read().payloads, ElementsAre("one"));
}

// Goal: the reader sees whole records in order while they are appended, and never one that was not synced.
TEST_F(SegmentLogTest, IsReadWhileItIsWritten) {
  constexpr std::size_t kRecords = 5000;
  auto log = open(0, 16 * 1024);
  std::atomic<bool> failed{false};
  std::jthread writer([&] {
    for (std::size_t i = 0; i < kRecords && !failed; i += 10) {
      std::vector<std::string> group;
      for (std::size_t j = i; j < i + 10; ++j) group.push_back(std::to_string(j) + std::string(j % 50, '.'));
      if (!append(*log, group) || !log->sync()) failed = true;
    }
  });
  SegmentReader reader(posix_disk(), directory_, 0);
  std::string memory(8192, '\0');
  LogChunk chunk;
  for (std::size_t next = 0; next < kRecords && !failed;) {
    ASSERT_TRUE(reader.read(memory, chunk, log->synced_end()));
    ASSERT_THAT(chunk.damages, IsEmpty());
    for (const LogRecord& record : chunk.records) {
      ASSERT_EQ(record.payload, std::to_string(next) + std::string(next % 50, '.'));
      ++next;
    }
    if (chunk.at_end) std::this_thread::yield();
    ASSERT_TRUE(log->drop_before(reader.position()));
  }
  EXPECT_FALSE(failed);
}

TEST_F(SegmentLogTest, IsWrittenAgainAfterAFailedSync) {
  FailingDisk disk;
  auto log = SegmentLog::open(disk, directory_, {}, 0);
  ASSERT_TRUE(log);
  write(**log, {"one"});
  ASSERT_TRUE(append(**log, {"two"}));
  disk.sync_fails = true;
  EXPECT_EQ((*log)->sync().error().os_errno, EIO);
  disk.sync_fails = false;
  (*log)->restart_at((*log)->synced_end());
  write(**log, {"two"});
  EXPECT_THAT(read().payloads, ElementsAre("one", "two"));
  EXPECT_EQ(files().size(), 2U);
}

// A power failure may bring back what a segment was cut of, and take all of the one that hid it.
TEST_F(SegmentLogTest, CutsWhatALostSegmentHid) {
  {
    auto log = open();
    write(*log, {"one", "two", "three"});
  }
  std::string bytes = bytes_of(path(0));
  bytes[kSegmentHeaderBytes + 40 + kRecordHeaderBytes] ^= 1;  // "two"
  put(path(0), bytes);
  put(path(40), std::string(100, '\0'));
  auto log = open(40);
  EXPECT_THAT(files(), ElementsAre(segment_path("", 0).substr(1)));
  const Read all = read(0, log->end());
  EXPECT_THAT(all.payloads, ElementsAre("one"));
  EXPECT_THAT(all.damages, IsEmpty());
}

TEST_F(SegmentLogTest, AReaderFollowsWhereItGoesOnAfterAFailedSync) {
  FailingDisk disk;
  auto opened = SegmentLog::open(disk, directory_, {}, 0);
  ASSERT_TRUE(opened);
  SegmentLog& log = **opened;
  write(log, {"one"});
  const std::uint64_t synced = log.end();
  disk.sync_fails = true;
  ASSERT_TRUE(append(log, {"two"}));
  ASSERT_FALSE(log.sync());
  disk.sync_fails = false;
  SegmentReader reader(disk, directory_, 0);
  std::string memory(4096, '\0');
  LogChunk chunk;
  ASSERT_TRUE(reader.read(memory, chunk, synced));
  ASSERT_EQ(chunk.records.size(), 1U);
  log.restart_at(synced);
  write(log, {"two"});
  ASSERT_TRUE(reader.read(memory, chunk, log.synced_end()));
  ASSERT_EQ(chunk.records.size(), 1U);
  EXPECT_EQ(chunk.records[0].payload, "two");
  EXPECT_EQ(chunk.records[0].segment, synced);
}

// Goal: wherever the disk is full, what was synced is readable, and what follows can be written again.
TEST_F(SegmentLogTest, GoesOnAfterAFullDisk) {
  for (std::size_t room = 0; room < 200; ++room) {
    std::filesystem::remove_all(directory_);
    FailingDisk disk;
    auto log = SegmentLog::open(disk, directory_, {}, 0);
    ASSERT_TRUE(log);
    write(**log, {"one"});
    disk.room = room;
    const auto appended = append(**log, {"two", "three", "four"});
    if (room < 120) {
      ASSERT_FALSE(appended) << room;
      EXPECT_EQ(appended.error().os_errno, ENOSPC);
      disk.room = room % 32;  // still full: not even a segment's header fits
      (*log)->restart_at((*log)->synced_end());
      EXPECT_FALSE(append(**log, {"two"}));
      disk.room = SIZE_MAX;
      (*log)->restart_at((*log)->synced_end());
      ASSERT_TRUE(append(**log, {"two", "three", "four"}));
    }
    ASSERT_TRUE((*log)->sync());
    EXPECT_THAT(read().payloads, ElementsAre("one", "two", "three", "four")) << room;
    EXPECT_THAT(read().damages, IsEmpty());
  }
}

}  // namespace
}  // namespace logflume
