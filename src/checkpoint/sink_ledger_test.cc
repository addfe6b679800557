#include "checkpoint/sink_ledger.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace logflume {
namespace {

bool woken(const Parker& parker, int timeout_ms = 0) {
  pollfd entry{parker.fd(), POLLIN, 0};
  return ::poll(&entry, 1, timeout_ms) == 1;
}

Seam seam_at(std::uint64_t offset) {
  const std::string text = std::to_string(offset);
  return Seam::before(text.data() + text.size(), text.size());
}

// A source's side: feeds ranges to cursors.
Delivery feed(const CursorRef& cursor, std::uint64_t bytes) {
  auto* batch = new Batch();
  batch->bytes = bytes;
  batch->owed = {cursor->fed_offset, cursor->fed_offset + bytes};
  batch->seam = seam_at(batch->owed.end);
  cursor->fed_offset += bytes;
  cursor->ledger().charge(bytes);
  return {BatchRef(batch), cursor};
}

CursorRef cursor_of(SinkLedger& ledger, std::uint64_t file_id, std::uint64_t offset = 0) {
  return CursorRef(new Cursor(ledger, file_id, offset, seam_at(offset)));
}

TEST(SinkLedgerTest, ASuccessorBeginsAtWhatWasAcknowledged) {
  SinkLedger before("bus", 1000, {});
  const CursorRef cursor = cursor_of(before, 3, 10);
  const Delivery first = feed(cursor, 90);
  feed(cursor, 50);
  before.acknowledge(std::vector{first});
  SinkLedger after("bus", 1000, {});
  const CursorRef next = cursor->continued_by(after);
  EXPECT_EQ(next->fed_offset, 100u);
  EXPECT_EQ(next->acked_offset(), 100u);
  EXPECT_EQ(next->fed_seam.view(), "100");
  EXPECT_EQ(&next->ledger(), &after);
}

TEST(SinkLedgerTest, MoreRoomWakesTheSourcesThatAreThere) {
  SinkLedger ledger("bus", 100, {});
  Parker stays, goes;
  for (Parker* parker : {&stays, &goes}) {
    ledger.add_source(*parker);
    parker->announce();
  }
  ledger.remove_source(goes);
  const CursorRef cursor = cursor_of(ledger, 1);
  feed(cursor, 100);
  EXPECT_FALSE(ledger.has_room());
  ledger.set_inflight_max(200);
  EXPECT_TRUE(ledger.has_room() && ledger.has_room_again());
  EXPECT_TRUE(woken(stays));
  EXPECT_FALSE(woken(goes));
}

TEST(SinkLedgerTest, AcknowledgedBytesAreTakenOnceWithTheirSeam) {
  SinkLedger ledger("bus", 1000, {});
  const CursorRef cursor = cursor_of(ledger, 3, 10);
  ledger.acknowledge(std::vector{feed(cursor, 90), feed(cursor, 11)});

  CheckpointChanges changes;
  ledger.take(changes);
  ASSERT_EQ(changes.cursors.size(), 1u);
  EXPECT_EQ(changes.cursors[0].file_id, 3u);
  EXPECT_EQ(changes.cursors[0].sink, "bus");
  EXPECT_EQ(changes.cursors[0].offset, 111u);
  EXPECT_EQ(changes.cursors[0].seam_bytes, 3u);
  EXPECT_EQ(changes.cursors[0].seam_hash, XXH3_64bits("111", 3));

  CheckpointChanges again;
  ledger.take(again);
  EXPECT_TRUE(again.empty());
}

TEST(SinkLedgerTest, WhatDoesNotMoveTheWatermarkIsNoChange) {
  int dirty = 0;
  SinkLedger ledger("bus", 1000, [&] { ++dirty; });
  const CursorRef cursor = cursor_of(ledger, 1);
  const Delivery first = feed(cursor, 10);
  ledger.acknowledge(std::vector{feed(cursor, 10)});
  EXPECT_EQ(dirty, 0);
  CheckpointChanges changes;
  ledger.take(changes);
  EXPECT_TRUE(changes.empty());

  ledger.acknowledge({&first, 1});
  EXPECT_EQ(dirty, 1);
  ledger.take(changes);
  ASSERT_EQ(changes.cursors.size(), 1u);
  EXPECT_EQ(changes.cursors[0].offset, 20u);
}

// Goal: what several deliveries owe together is acknowledged with the last one of them, in whatever order.
TEST(SinkLedgerTest, WhatIsOwedTogetherIsAcknowledgedTogether) {
  for (const bool forwards : {true, false}) {
    SinkLedger ledger("bus", 1000, {});
    const CursorRef cursor = cursor_of(ledger, 1);
    const IntrusivePtr<OwedTogether> together(new OwedTogether(2));
    std::vector<Delivery> parts{feed(cursor, 0), feed(cursor, 10)};
    for (Delivery& part : parts) part.together = together;
    const Delivery alone = feed(cursor, 5);
    ledger.acknowledge(std::vector{alone});
    EXPECT_TRUE(ledger.add_to(*together, 1));
    parts.push_back(feed(cursor, 0));
    parts.back().together = together;
    if (!forwards) std::ranges::reverse(parts);
    for (const Delivery& part : parts) {
      EXPECT_EQ(cursor->acked_offset(), 0U);
      ledger.acknowledge(std::vector{part});
    }
    EXPECT_EQ(cursor->acked_offset(), 15U);
    EXPECT_FALSE(ledger.add_to(*together, 1)) << "all are acknowledged";
    CheckpointChanges changes;
    ledger.take(changes);
    ASSERT_EQ(changes.cursors.size(), 1U);
    EXPECT_EQ(changes.cursors[0].seam_bytes, seam_at(15).size());
    EXPECT_EQ(changes.cursors[0].delivered_bytes, 15U);
    EXPECT_EQ(ledger.inflight_batches(), 0U);
  }
}

TEST(SinkLedgerTest, RangesAloneAreAChangeThatIsTakenOnce) {
  int dirty = 0;
  SinkLedger ledger("bus", 1000, [&] { ++dirty; });
  ledger.acknowledge({}, {}, {{7, "bus", 0, 5, RangeKind::kDiscardedLater, "why", 5, 1, 0}});
  EXPECT_EQ(dirty, 1);
  CheckpointChanges changes;
  ledger.take(changes);
  ledger.take(changes);
  ASSERT_EQ(changes.ranges.size(), 1u);
  EXPECT_EQ(changes.ranges[0].reason, "why");
}

TEST(SinkLedgerTest, SaysDirtyOnceForEachTake) {
  int dirty = 0;
  SinkLedger ledger("bus", 1000, [&] { ++dirty; });
  const CursorRef cursor = cursor_of(ledger, 1);
  for (int i = 0; i < 3; ++i) ledger.acknowledge(std::vector{feed(cursor, 10)});
  EXPECT_EQ(dirty, 1);
  CheckpointChanges changes;
  ledger.take(changes);
  ledger.acknowledge(std::vector{feed(cursor, 10)});
  EXPECT_EQ(dirty, 2);
}

TEST(SinkLedgerTest, TheLastStateOfAKeyWins) {
  int dirty = 0;
  SinkLedger ledger("out", 1000, [&] { ++dirty; });
  ledger.acknowledge({}, std::vector<SinkStateRecord>{{"out", "a", "1"}, {"out", "b", "2"}});
  ledger.acknowledge({}, std::vector<SinkStateRecord>{{"out", "a", "3"}});
  EXPECT_EQ(dirty, 1);
  CheckpointChanges changes;
  ledger.take(changes);
  ASSERT_EQ(changes.states.size(), 2u);
  EXPECT_EQ(changes.states[0].key + changes.states[0].value, "a3");
  EXPECT_EQ(changes.states[1].key + changes.states[1].value, "b2");
}

TEST(SinkLedgerTest, OneBatchIsAdmittedHoweverLarge) {
  SinkLedger ledger("bus", 0, {});
  EXPECT_TRUE(ledger.has_room());
  const CursorRef cursor = cursor_of(ledger, 1);
  const Delivery large = feed(cursor, 1 << 20);
  EXPECT_FALSE(ledger.has_room());
  ledger.acknowledge({&large, 1});
  EXPECT_TRUE(ledger.has_room());
  EXPECT_EQ(ledger.inflight_batches(), 0u);
}

TEST(SinkLedgerTest, WakesAFullSourceOnceAtThreeQuarters) {
  SinkLedger ledger("bus", 100, {});
  Parker source;
  ledger.add_source(source);
  const CursorRef cursor = cursor_of(ledger, 1);
  std::vector<Delivery> fed;
  for (int i = 0; i < 10; ++i) fed.push_back(feed(cursor, 10));
  EXPECT_FALSE(ledger.has_room());
  source.announce();
  ledger.acknowledge({&fed[0], 1});  // 90
  ledger.acknowledge({&fed[1], 1});  // 80
  EXPECT_FALSE(woken(source));
  ledger.acknowledge({&fed[2], 1});  // 70
  EXPECT_TRUE(woken(source));
  source.drain();
  source.announce();
  ledger.acknowledge({&fed[3], 5});  // 20
  EXPECT_FALSE(woken(source));
}

TEST(SinkLedgerTest, KeepsRoomForLinesThatHaveJustBeenWritten) {
  SinkLedger ledger("bus", 100, {});
  const CursorRef cursor = cursor_of(ledger, 1);
  for (int i = 0; i < 10; ++i) feed(cursor, 10);
  EXPECT_FALSE(ledger.has_room());
  EXPECT_TRUE(ledger.has_room_for_live());
  feed(cursor, 25);
  EXPECT_FALSE(ledger.has_room_for_live());
}

// Goal: fan-out. Each sink's watermarks are those of its own acknowledgements, in any order.
// Method: the same ranges of several files go to several ledgers; each acknowledges them in its own random
// order and in random portions; what take() returned last is compared with a bit for each byte.
TEST(SinkLedgerTest, FanOutAgreesWithANaiveModelInRandomOrders) {
  std::mt19937 random(42);
  for (int round = 0; round < 30; ++round) {
    constexpr std::size_t kSinks = 3;
    constexpr std::uint64_t kFiles = 4;
    std::vector<std::unique_ptr<SinkLedger>> ledgers;
    for (std::size_t i = 0; i < kSinks; ++i) {
      ledgers.push_back(std::make_unique<SinkLedger>("s" + std::to_string(i), 1 << 20, nullptr));
    }
    std::vector<std::vector<Delivery>> owed(kSinks);
    std::map<std::uint64_t, std::uint64_t> file_ends;
    for (std::uint64_t file = 1; file <= kFiles; ++file) {
      std::vector<CursorRef> cursors;
      for (auto& ledger : ledgers) cursors.push_back(cursor_of(*ledger, file));
      for (std::size_t count = random() % 40; count > 0; --count) {
        const std::uint64_t bytes = 1 + random() % 20;
        for (std::size_t i = 0; i < kSinks; ++i) owed[i].push_back(feed(cursors[i], bytes));
        file_ends[file] += bytes;
      }
    }
    for (std::size_t i = 0; i < kSinks; ++i) {
      std::shuffle(owed[i].begin(), owed[i].end(), random);
      std::map<std::uint64_t, std::vector<bool>> done;
      for (const auto& [file, end] : file_ends) done[file].assign(end + 1, false);
      std::map<std::uint64_t, std::uint64_t> committed;
      for (std::size_t at = 0; at < owed[i].size();) {
        const std::size_t count = std::min<std::size_t>(1 + random() % 5, owed[i].size() - at);
        ledgers[i]->acknowledge({&owed[i][at], count});
        for (std::size_t k = at; k < at + count; ++k) {
          const FileRange range = owed[i][k].batch->owed;
          auto& bytes = done[owed[i][k].cursor->file_id()];
          std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(range.begin),
                    bytes.begin() + static_cast<std::ptrdiff_t>(range.end), true);
        }
        at += count;
        CheckpointChanges changes;
        ledgers[i]->take(changes);
        for (const CursorRecord& cursor : changes.cursors) {
          ASSERT_GT(cursor.offset, committed[cursor.file_id]);
          committed[cursor.file_id] = cursor.offset;
        }
        for (const auto& [file, bytes] : done) {
          const auto gap = std::find(bytes.begin(), bytes.end(), false);
          ASSERT_EQ(committed[file], static_cast<std::uint64_t>(gap - bytes.begin()));
        }
      }
      for (const auto& [file, end] : file_ends) ASSERT_EQ(committed[file], end);
      EXPECT_EQ(ledgers[i]->inflight_bytes(), 0u);
      EXPECT_EQ(ledgers[i]->inflight_batches(), 0u);
    }
  }
}

// Goal: take() returns one moment: the state that was given with an acknowledgement comes with it, never
// alone and never late.
// Method: each acknowledge() moves two files by one byte and states the same number; a second thread takes
// all the time. CI also runs this under TSan.
TEST(SinkLedgerTest, TakesAcknowledgementsAndStatesAtOneMoment) {
  constexpr std::uint64_t kRounds = 5'000;
  std::atomic<bool> finished{false};
  SinkLedger ledger("out", 1 << 20, nullptr);
  std::jthread sink([&] {
    const CursorRef a = cursor_of(ledger, 1);
    const CursorRef b = cursor_of(ledger, 2);
    for (std::uint64_t n = 1; n <= kRounds; ++n) {
      const std::vector<Delivery> done{feed(a, 1), feed(b, 1)};
      const std::vector<SinkStateRecord> states{{"out", "length", std::to_string(n)}};
      ledger.acknowledge(done, states);
    }
    finished = true;
  });
  std::uint64_t last = 0;
  while (last < kRounds) {
    const bool final_take = finished;
    CheckpointChanges changes;
    ledger.take(changes);
    if (changes.empty()) {
      ASSERT_FALSE(final_take);
      continue;
    }
    ASSERT_EQ(changes.cursors.size(), 2u);
    ASSERT_EQ(changes.states.size(), 1u);
    last = changes.cursors[0].offset;
    ASSERT_EQ(changes.cursors[1].offset, last);
    ASSERT_EQ(changes.states[0].value, std::to_string(last));
  }
}

// Goal: a source that sleeps when there is no room is always woken.
// Method: a source that feeds as much as it may and then parks for as long as it takes, against a sink that
// acknowledges out of order; small limits make it park all the time. A lost wake-up fails the test by its
// time-out.
TEST(SinkLedgerTest, NoWakeUpOfAFullSourceIsLost) {
  constexpr int kBatches = 2'000;
  for (const std::size_t limit : {1u, 3u, 64u}) {
    SinkLedger ledger("bus", limit, nullptr);
    Parker source;
    ledger.add_source(source);
    std::mutex mutex;
    std::condition_variable_any queued;
    std::vector<Delivery> queue;
    std::jthread sink([&](std::stop_token stop) {
      std::mt19937 random(7);
      std::vector<Delivery> mine;
      while (!stop.stop_requested()) {
        {
          std::unique_lock lock(mutex);
          queued.wait(lock, stop, [&] { return !queue.empty(); });
          mine.swap(queue);
        }
        std::shuffle(mine.begin(), mine.end(), random);
        ledger.acknowledge(mine);
        mine.clear();
      }
    });
    const CursorRef cursor = cursor_of(ledger, 1);
    const auto park_until = [&](auto ready) {
      while (true) {
        source.announce();
        if (ready()) break;
        if (!woken(source, 30'000)) return false;
        source.drain();
      }
      source.retract();
      return true;
    };
    for (int i = 0; i < kBatches; ++i) {
      ASSERT_TRUE(park_until([&] { return ledger.has_room(); }));
      Delivery delivery = feed(cursor, 1);
      {
        const std::lock_guard lock(mutex);
        queue.push_back(std::move(delivery));
      }
      queued.notify_one();
    }
    const auto end = steady_now() + std::chrono::seconds(30);
    while (ledger.inflight_batches() != 0 && steady_now() < end) std::this_thread::yield();
    ASSERT_EQ(ledger.inflight_batches(), 0u);
    EXPECT_EQ(cursor->acked_offset(), static_cast<std::uint64_t>(kBatches));
  }
}

}  // namespace
}  // namespace logflume
