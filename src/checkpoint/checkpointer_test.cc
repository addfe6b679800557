#include "checkpoint/checkpointer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace logflume {
namespace {

using testing::HasSubstr;

// A store in memory that can be told to fail, and that knows the rule of cursors and files.
class FakeStore {
 public:
  Result<void> commit(const CheckpointChanges& changes) {
    const std::lock_guard lock(mutex_);
    ++attempts_;
    changed_.notify_all();
    if (failing_) return Error{Errc::kIo, ENOSPC, "write checkpoints.db"};
    ++commits_;
    for (const FileRecord& file : changes.files) files_[file.id] = file.path;
    for (const CursorRecord& cursor : changes.cursors) {
      if (!files_.contains(cursor.file_id)) ++cursors_without_file_;
      if (cursor.offset < cursors_[cursor.file_id]) ++went_back_;
      cursors_[cursor.file_id] = cursor.offset;
    }
    for (const SinkStateRecord& state : changes.states) states_[state.key] = state.value;
    return {};
  }
  Checkpointer::Commit function() {
    return [this](const CheckpointChanges& changes) { return commit(changes); };
  }
  void fail(bool on) {
    const std::lock_guard lock(mutex_);
    failing_ = on;
  }
  template <typename Condition>
  bool wait(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 60s, condition);
  }
  std::uint64_t offset(std::uint64_t file_id) {
    const std::lock_guard lock(mutex_);
    return cursors_[file_id];
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool failing_ = false;
  int attempts_ = 0;
  int commits_ = 0;
  int cursors_without_file_ = 0;
  int went_back_ = 0;
  std::map<std::uint64_t, std::string> files_;
  std::map<std::uint64_t, std::uint64_t> cursors_;
  std::map<std::string, std::string> states_;
};

class CheckpointerTest : public testing::Test {
 protected:
  std::unique_ptr<Checkpointer> make(Duration interval) {
    return std::make_unique<Checkpointer>(store_.function(), metrics_, health_, log_,
                                          CheckpointerConfig{interval, interval});
  }
  static void acknowledge(const CursorRef& cursor, std::uint64_t bytes) {
    auto* batch = new Batch();
    batch->bytes = bytes;
    batch->owed = {cursor->fed_offset, cursor->fed_offset + bytes};
    cursor->fed_offset += bytes;
    cursor->ledger().charge(bytes);
    cursor->ledger().acknowledge(std::vector{Delivery{BatchRef(batch), cursor}});
  }
  static CursorRef cursor_of(SinkLedger& ledger, std::uint64_t file_id) {
    return CursorRef(new Cursor(ledger, file_id, 0, Seam{}));
  }
  std::string sample(const std::string& name) const {
    const std::string page = metrics_.text();
    const auto at = page.find("\n" + name);
    if (at == std::string::npos) return "";
    const auto value = page.find(' ', at) + 1;
    return page.substr(value, page.find('\n', value) - value);
  }

  FakeStore store_;
  MetricRegistry metrics_;
  HealthBoard board_;
  HealthEntry health_{board_, "checkpoints", "core", "sqlite"};
  Log log_{LogLevel::kError};
};

TEST_F(CheckpointerTest, StoresAcknowledgementsByItself) {
  auto checkpointer = make(1ms);
  SinkLedger ledger("bus", 1000, [&] { checkpointer->mark_dirty(); });
  checkpointer->add_ledger(ledger);
  checkpointer->start();
  const CursorRef cursor = cursor_of(ledger, 1);
  acknowledge(cursor, 10);
  EXPECT_TRUE(store_.wait([&] { return store_.cursors_[1] == 10; }));
  acknowledge(cursor, 5);
  EXPECT_TRUE(store_.wait([&] { return store_.cursors_[1] == 15; }));
  EXPECT_TRUE(checkpointer->stop());
}

TEST_F(CheckpointerTest, CommitsNothingWhenNothingChanged) {
  auto checkpointer = make(1ms);
  checkpointer->start();
  checkpointer->mark_dirty();
  EXPECT_TRUE(checkpointer->commit_now());
  EXPECT_TRUE(checkpointer->stop());
  EXPECT_EQ(store_.attempts_, 0);
}

// Method: with an interval of an hour only the first change is committed by the thread; stop() commits the
// rest.
TEST_F(CheckpointerTest, CommitsAtMostOnceInAnIntervalAndAtTheStop) {
  auto checkpointer = make(std::chrono::hours(1));
  SinkLedger ledger("bus", 1000, [&] { checkpointer->mark_dirty(); });
  checkpointer->add_ledger(ledger);
  checkpointer->start();
  const CursorRef cursor = cursor_of(ledger, 1);
  acknowledge(cursor, 1);
  ASSERT_TRUE(store_.wait([&] { return store_.commits_ == 1; }));
  for (int i = 0; i < 100; ++i) acknowledge(cursor, 1);
  EXPECT_TRUE(checkpointer->stop());
  EXPECT_EQ(store_.commits_, 2);
  EXPECT_EQ(store_.offset(1), 101u);
}

// Method: as above; what is asked for does not wait for the hour.
TEST_F(CheckpointerTest, ACommitThatIsAskedForComesAtOnceOrIsGivenUp) {
  auto checkpointer = make(std::chrono::hours(1));
  SinkLedger ledger("bus", 1000, [&] { checkpointer->mark_dirty(); });
  checkpointer->add_ledger(ledger);
  EXPECT_FALSE(checkpointer->commit_within(1ms)) << "the thread does not run";
  checkpointer->start();
  const CursorRef cursor = cursor_of(ledger, 1);
  for (std::uint64_t n = 1; n <= 3; ++n) {
    acknowledge(cursor, 1);
    EXPECT_TRUE(checkpointer->commit_within(60s));
    EXPECT_EQ(store_.offset(1), n);
  }
  EXPECT_TRUE(checkpointer->commit_within(60s)) << "with nothing to store";
  acknowledge(cursor, 1);
  store_.fail(true);
  EXPECT_FALSE(checkpointer->commit_within(60s));
  store_.fail(false);
  EXPECT_TRUE(checkpointer->commit_within(60s));
  EXPECT_EQ(store_.offset(1), 4u);
  EXPECT_TRUE(checkpointer->stop());
}

TEST_F(CheckpointerTest, CommitNowIsDurableOnReturn) {
  auto checkpointer = make(std::chrono::hours(1));
  SinkLedger ledger("out", 1000, [&] { checkpointer->mark_dirty(); });
  checkpointer->add_ledger(ledger);
  checkpointer->start();
  const CursorRef cursor = cursor_of(ledger, 1);
  for (std::uint64_t n = 1; n <= 20; ++n) {
    acknowledge(cursor, 1);
    ASSERT_TRUE(checkpointer->commit_now());
    ASSERT_EQ(store_.offset(1), n);
  }
  EXPECT_TRUE(checkpointer->stop());
}

TEST_F(CheckpointerTest, AFailedCommitIsKeptMergedAndRetried) {
  auto checkpointer = make(std::chrono::hours(1));  // no thread is started
  SinkLedger ledger("out", 1000, [&] { checkpointer->mark_dirty(); });
  checkpointer->add_ledger(ledger);
  std::vector<FileRecord> records{{.id = 1, .source = "app", .path = "/a"}};
  checkpointer->add_source([&](CheckpointChanges& changes) {
    for (FileRecord& record : records) changes.files.push_back(std::move(record));
    records.clear();
  });
  store_.fail(true);
  const CursorRef cursor = cursor_of(ledger, 1);
  acknowledge(cursor, 10);
  ledger.acknowledge({}, std::vector<SinkStateRecord>{{"out", "k", "1"}});
  const auto failed = checkpointer->commit_now();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().os_errno, ENOSPC);
  EXPECT_EQ(board_.status(), HealthStatus::kDegraded);
  EXPECT_THAT(board_.json(), HasSubstr("No space left on device"));
  EXPECT_EQ(sample("logflume_component_errors_total{component=\"checkpoints\",reason=\"commit\"}"), "1");
  EXPECT_GT(checkpointer->age(), Duration(0));
  EXPECT_NE(sample("logflume_checkpoint_age_seconds"), "0");

  acknowledge(cursor, 5);
  ledger.acknowledge({}, std::vector<SinkStateRecord>{{"out", "k", "2"}, {"out", "l", "3"}});
  records.push_back({.id = 1, .source = "app", .path = "/b"});
  EXPECT_FALSE(checkpointer->commit_now());
  store_.fail(false);
  EXPECT_TRUE(checkpointer->commit_now());
  EXPECT_EQ(store_.offset(1), 15u);
  EXPECT_EQ(store_.files_[1], "/b");
  EXPECT_EQ(store_.states_["k"], "2");
  EXPECT_EQ(store_.states_["l"], "3");
  EXPECT_EQ(store_.cursors_without_file_, 0);
  EXPECT_EQ(board_.status(), HealthStatus::kOk);
  EXPECT_EQ(checkpointer->age(), Duration(0));
  EXPECT_EQ(sample("logflume_checkpoint_age_seconds"), "0");
}

TEST_F(CheckpointerTest, RecoversByItself) {
  auto checkpointer = make(1ms);
  SinkLedger ledger("bus", 1000, [&] { checkpointer->mark_dirty(); });
  checkpointer->add_ledger(ledger);
  checkpointer->start();
  store_.fail(true);
  acknowledge(cursor_of(ledger, 1), 10);
  ASSERT_TRUE(store_.wait([&] { return store_.attempts_ >= 3; }));
  store_.fail(false);
  EXPECT_TRUE(store_.wait([&] { return store_.cursors_[1] == 10; }));
  EXPECT_TRUE(checkpointer->stop());
}

TEST_F(CheckpointerTest, WhatLeavesIsTakenFirst) {
  auto checkpointer = make(std::chrono::hours(1));
  {
    SinkLedger ledger("bus", 1000, [&] { checkpointer->mark_dirty(); });
    checkpointer->add_ledger(ledger);
    const auto id = checkpointer->add_source([](CheckpointChanges& changes) {
      changes.files.push_back({.id = 1, .source = "app", .path = "/a"});
    });
    acknowledge(cursor_of(ledger, 1), 10);
    checkpointer->remove_ledger(ledger);
    checkpointer->remove_source(id);
  }
  EXPECT_TRUE(checkpointer->commit_now());
  EXPECT_EQ(store_.offset(1), 10u);
  EXPECT_EQ(store_.cursors_without_file_, 0);
}

// Goal: a cursor is never stored before the record of its file, and nothing is lost, while sinks, sources,
// commits and failures all run at once. CI also runs this under TSan.
TEST_F(CheckpointerTest, KeepsTheOrderOfFilesAndCursorsUnderConcurrency) {
  constexpr std::uint64_t kFiles = 2'000;
  auto checkpointer = make(1ms);
  SinkLedger ledger("bus", 1 << 20, [&] { checkpointer->mark_dirty(); });
  checkpointer->add_ledger(ledger);
  std::mutex records_mutex;
  std::vector<FileRecord> records;
  checkpointer->add_source([&](CheckpointChanges& changes) {
    const std::lock_guard lock(records_mutex);
    for (FileRecord& record : records) changes.files.push_back(std::move(record));
    records.clear();
  });
  checkpointer->start();
  {
    std::jthread source([&] {
      for (std::uint64_t id = 1; id <= kFiles; ++id) {
        {
          const std::lock_guard lock(records_mutex);
          records.push_back({.id = id, .source = "app", .path = "/x"});
        }
        checkpointer->mark_dirty();
        const CursorRef cursor = cursor_of(ledger, id);
        acknowledge(cursor, 1);
        acknowledge(cursor, id);
      }
    });
    std::jthread impatient([&](std::stop_token stop) {
      for (bool failing = false; !stop.stop_requested(); failing = !failing) {
        store_.fail(failing);
        (void)checkpointer->commit_now();
      }
    });
    source.join();
  }
  store_.fail(false);
  EXPECT_TRUE(checkpointer->stop());
  EXPECT_EQ(store_.cursors_without_file_, 0);
  EXPECT_EQ(store_.went_back_, 0);
  for (std::uint64_t id = 1; id <= kFiles; ++id) ASSERT_EQ(store_.offset(id), id + 1);
}

TEST(MergeChangesTest, RemovalIsTheLastWord) {
  CheckpointChanges changes;
  changes.files = {{.id = 1, .source = "", .path = ""}, {.id = 2, .source = "", .path = ""}};
  changes.cursors = {{.file_id = 1, .sink = "a"}, {.file_id = 2, .sink = "a"}};
  CheckpointChanges newer;
  newer.removed_files = {1};
  merge_changes(changes, std::move(newer));
  ASSERT_EQ(changes.files.size(), 1u);
  EXPECT_EQ(changes.files[0].id, 2u);
  ASSERT_EQ(changes.cursors.size(), 1u);
  EXPECT_EQ(changes.cursors[0].file_id, 2u);
}

}  // namespace
}  // namespace logflume
