#include "checkpoint/checkpoint_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "base/temp_dir_for_test.h"
#include "checkpoint/rename.h"

namespace logflume {

bool operator==(const FileRecord& a, const FileRecord& b) {
  return a.id == b.id && a.source == b.source && a.path == b.path && a.device == b.device &&
         a.inode == b.inode && a.birth_ns == b.birth_ns && a.prefix_bytes == b.prefix_bytes &&
         a.prefix_hash == b.prefix_hash && a.gone == b.gone && a.finished == b.finished &&
         a.size_bytes == b.size_bytes && a.updated_ns == b.updated_ns;
}
bool operator==(const CursorRecord& a, const CursorRecord& b) {
  return a.file_id == b.file_id && a.sink == b.sink && a.offset == b.offset && a.seam_bytes == b.seam_bytes &&
         a.seam_hash == b.seam_hash;
}
bool operator==(const SinkStateRecord& a, const SinkStateRecord& b) {
  return a.sink == b.sink && a.key == b.key && a.value == b.value;
}

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

FileRecord file(std::uint64_t id, std::string path = "/var/log/x") {
  return {id,
          "app",
          std::move(path),
          2049,
          100 + id,
          1'700'000'000'000'000'000,
          256,
          ~std::uint64_t{0} - id,
          false,
          false,
          999,
          5};
}
CursorRecord cursor(std::uint64_t file_id, std::string sink, std::uint64_t offset) {
  return {file_id, std::move(sink), offset, 64, 0xFFFF'FFFF'FFFF'FFF0 + offset % 8};
}

class CheckpointStoreTest : public testing::Test {
 protected:
  std::unique_ptr<CheckpointStore> open() {
    auto store = CheckpointStore::open(data_dir_);
    EXPECT_TRUE(store) << (store ? "" : store.error().text());
    return store ? std::move(*store) : nullptr;
  }
  void commit(CheckpointStore& store, const CheckpointChanges& changes) {
    const auto committed = store.commit(changes);
    ASSERT_TRUE(committed) << committed.error().text();
  }
  CheckpointContent load(CheckpointStore& store, std::uint64_t* damaged = nullptr) {
    auto content = store.load(damaged);
    EXPECT_TRUE(content) << (content ? "" : content.error().text());
    return content ? std::move(*content) : CheckpointContent{};
  }
  // As another program would: no lock, no checksum.
  void sql(const std::string& text) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(database_.c_str(), &handle), SQLITE_OK);
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(handle, text.c_str(), nullptr, nullptr, &message), SQLITE_OK) << message;
    sqlite3_free(message);
    sqlite3_close(handle);
  }
  // First columns, a line each.
  std::string query(const std::string& text) {
    sqlite3* handle = nullptr;
    EXPECT_EQ(sqlite3_open(database_.c_str(), &handle), SQLITE_OK);
    std::string lines;
    sqlite3_exec(
        handle, text.c_str(),
        [](void* out, int, char** values, char**) {
          static_cast<std::string*>(out)->append(values[0]).append("\n");
          return 0;
        },
        &lines, nullptr);
    sqlite3_close(handle);
    return lines;
  }
  std::string read_bytes() const {
    std::ifstream in(database_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write_bytes(const std::string& bytes) const {
    std::ofstream(database_, std::ios::binary | std::ios::trunc) << bytes;
  }
  // Files 1 to `count`, a cursor and a state each.
  void fill(std::uint64_t count) {
    auto store = open();
    CheckpointChanges changes;
    for (std::uint64_t n = 0; n < count; ++n) {
      const std::uint64_t id = store->next_file_id();
      changes.files.push_back(file(id, "/var/log/" + std::to_string(id)));
      changes.cursors.push_back(cursor(id, "bus", id * 10));
      changes.states.push_back({"out", "k" + std::to_string(id), "v"});
    }
    commit(*store, changes);
  }

  TempDir dir_;
  std::string data_dir_ = dir_ / "data";
  std::string database_ = data_dir_ + "/checkpoints.db";
};

TEST_F(CheckpointStoreTest, KeepsWhatWasCommitted) {
  const std::string odd("a\0\xFF'\"\n", 6);
  CheckpointChanges changes;
  changes.files = {file(1, odd), file(2)};
  changes.files[1].gone = changes.files[1].finished = true;
  changes.cursors = {cursor(1, "bus", ~std::uint64_t{0}), cursor(1, odd, 0), cursor(2, "", 7)};
  changes.states = {{"out", odd, std::string("\0\xFE", 2)}, {"out", "", "x"}};
  {
    auto store = open();
    EXPECT_THAT(load(*store).files, IsEmpty());
    commit(*store, changes);
  }
  auto store = open();
  std::uint64_t damaged = 9;
  const CheckpointContent content = load(*store, &damaged);
  EXPECT_EQ(damaged, 0u);
  EXPECT_THAT(content.files, testing::ElementsAreArray(changes.files));
  EXPECT_THAT(content.cursors, testing::UnorderedElementsAreArray(changes.cursors));
  EXPECT_THAT(content.states, testing::UnorderedElementsAreArray(changes.states));
  EXPECT_EQ(store->quarantined(), "");
}

TEST_F(CheckpointStoreTest, IsReadByPages) {
  auto store = open();
  CheckpointChanges changes;
  for (std::uint64_t id = 1; id <= 5; ++id) {
    changes.files.push_back(file(id));
    changes.cursors.push_back(cursor(id, "bus", id * 10));
    changes.cursors.push_back(cursor(id, "out", id * 10));
    changes.ranges.push_back({id, "bus", 0, 5, RangeKind::kLost, "deleted", 5, 0, 1});
  }
  commit(*store, changes);
  sql("UPDATE cursors SET checksum = 0 WHERE file_id = 3 AND sink = x'6f7574'");
  std::vector<std::uint64_t> seen;
  std::uint64_t after = 0;
  for (const std::size_t expected : {2u, 2u, 1u, 0u}) {
    std::uint64_t damaged = 7;
    const auto page = CheckpointStore::read_page(data_dir_, after, 2, &damaged);
    ASSERT_TRUE(page) << page.error().text();
    EXPECT_EQ(page->files.size(), expected);
    EXPECT_EQ(page->ranges.size(), expected);
    EXPECT_EQ(damaged, after == 2 ? 1u : 0u);
    EXPECT_EQ(page->cursors.size() + damaged, 2 * expected);
    for (const CursorRecord& one : page->cursors) EXPECT_GT(one.file_id, after);
    for (const FileRecord& one : page->files) seen.push_back(after = one.id);
  }
  EXPECT_THAT(seen, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(CheckpointStore::read_page(data_dir_ + "/none", 0, 2).error().code, Errc::kNotFound);
}

TEST_F(CheckpointStoreTest, ReplacesAndRemoves) {
  auto store = open();
  commit(*store, {{file(1), file(2)},
                  {},
                  {cursor(1, "bus", 5), cursor(2, "bus", 6), cursor(2, "out", 7)},
                  {{"out", "a", "1"}, {"out", "b", "2"}}});
  commit(*store, {{file(1, "/renamed")},
                  {},
                  {cursor(1, "bus", 8), cursor(1, "bus", 9)},
                  {{"out", "a", ""}, {"out", "b", "3"}}});
  // A late acknowledgement of a file that goes must not bring its cursor back.
  commit(*store, {{}, {2}, {cursor(2, "bus", 10)}, {}});
  const CheckpointContent content = load(*store);
  EXPECT_THAT(content.files, ElementsAre(file(1, "/renamed")));
  EXPECT_THAT(content.cursors, ElementsAre(cursor(1, "bus", 9)));
  EXPECT_THAT(content.states, ElementsAre(SinkStateRecord{"out", "b", "3"}));
}

TEST_F(CheckpointStoreTest, ARenamedComponentKeepsWhatItHad) {
  const auto store = open();
  ASSERT_TRUE(
      store->commit({{file(1)}, {}, {cursor(1, "bus", 10), cursor(1, "other", 20)}, {{"bus", "k", "v"}}}));
  ASSERT_TRUE(store->commit(rename_component(load(*store), "bus", "train")));
  ASSERT_TRUE(store->commit(rename_component(load(*store), "app", "web")));
  FileRecord renamed = file(1);
  renamed.source = "web";
  const CheckpointContent content = load(*store);
  EXPECT_THAT(content.files, ElementsAre(renamed));
  EXPECT_THAT(content.cursors, UnorderedElementsAre(cursor(1, "train", 10), cursor(1, "other", 20)));
  EXPECT_THAT(content.states, ElementsAre(SinkStateRecord{"train", "k", "v"}));
  EXPECT_FALSE(knows_component(content, "bus") || knows_component(content, "app"));
  EXPECT_TRUE(knows_component(content, "train") && knows_component(content, "web"));
}

TEST_F(CheckpointStoreTest, NeverGivesAFileIdTwice) {
  {
    auto store = open();
    EXPECT_EQ(store->next_file_id(), 1u);
    EXPECT_EQ(store->next_file_id(), 2u);
    EXPECT_EQ(store->next_file_id(), 3u);
    commit(*store, {{file(3)}, {}, {}, {}});
    commit(*store, {{}, {3}, {}, {}});
  }
  auto store = open();
  EXPECT_EQ(store->next_file_id(), 4u);
  commit(*store, {{file(90)}, {}, {}, {}});
  EXPECT_EQ(store->next_file_id(), 91u);
}

TEST_F(CheckpointStoreTest, SkipsIdsWhenTheHighestIsNotKnown) {
  fill(3);
  sql("UPDATE meta SET value = 2");
  auto store = open();
  EXPECT_GT(store->next_file_id(), 1000u);
}

TEST_F(CheckpointStoreTest, CreatesDataDirButNotItsParent) {
  data_dir_ = dir_ / "no/such";
  const auto missing = CheckpointStore::open(data_dir_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::kNotFound);
  EXPECT_THAT(missing.error().text(), HasSubstr("parent"));

  data_dir_ = dir_ / "data";
  const mode_t before = ::umask(0);
  auto store = open();
  ::umask(before);
  struct stat info {};
  ASSERT_EQ(::stat(data_dir_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0750u);
  ASSERT_EQ(::stat(database_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);

  std::ofstream(dir_ / "plain") << "x";
  const auto plain = CheckpointStore::open(dir_ / "plain");
  ASSERT_FALSE(plain);
  EXPECT_EQ(plain.error().code, Errc::kInvalidArgument);
}

TEST_F(CheckpointStoreTest, ASecondAgentIsRefusedAndToldThePid) {
  int ready[2];
  int go[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(go), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto store = CheckpointStore::open(data_dir_);
    char byte = store ? 'y' : 'n';
    if (::write(ready[1], &byte, 1) != 1 || ::read(go[0], &byte, 1) != 1) _exit(1);
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  const auto second = CheckpointStore::open(data_dir_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kBusy);
  EXPECT_THAT(second.error().text(), HasSubstr("pid " + std::to_string(child)));
  EXPECT_TRUE(CheckpointStore::read(data_dir_));
  ASSERT_EQ(::write(go[1], "x", 1), 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  // It ended without releasing anything, as kill -9 would.
  EXPECT_NE(open(), nullptr);
  for (const int fd : {ready[0], ready[1], go[0], go[1]}) ::close(fd);
}

TEST_F(CheckpointStoreTest, ANewerFormatIsRefusedAndLeftAlone) {
  fill(1);
  sql("PRAGMA user_version = 3");
  const auto store = CheckpointStore::open(data_dir_);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Errc::kUnsupported);
  EXPECT_THAT(store.error().text(), HasSubstr("version 3"));
  sql("PRAGMA user_version = 2");
  EXPECT_THAT(load(*open()).files, SizeIs(1));
}

TEST_F(CheckpointStoreTest, DamagedRowsAreLeftOutCountedAndKeptAside) {
  fill(5);
  sql("UPDATE files SET inode = inode + 1 WHERE id = 2");
  sql("UPDATE cursors SET \"offset\" = 'far' WHERE file_id = 3");
  sql("UPDATE sink_state SET value = x'00' WHERE key = CAST('k4' AS BLOB)");
  {
    auto store = open();
    EXPECT_EQ(store->quarantined(), "");
    std::uint64_t damaged = 0;
    const CheckpointContent content = load(*store, &damaged);
    EXPECT_EQ(damaged, 3u);
    EXPECT_THAT(content.files, SizeIs(4));
    EXPECT_THAT(content.cursors, SizeIs(3));  // not that of file 2 either
    EXPECT_THAT(content.states, SizeIs(4));
    (void)load(*store, &damaged);
    EXPECT_EQ(damaged, 0u);
  }
  const std::string aside = query("SELECT origin || ' ' || content FROM damaged ORDER BY row");
  EXPECT_THAT(aside, HasSubstr("files 2, X'617070'"));
  EXPECT_THAT(aside, HasSubstr("'far'"));
  EXPECT_THAT(aside, HasSubstr("sink_state "));
}

TEST_F(CheckpointStoreTest, AnEmptyOrForeignFileIsMovedAside) {
  for (const std::string& bytes : {std::string(), std::string("not a database"), std::string(100'000, 'x')}) {
    std::filesystem::create_directory(data_dir_);
    write_bytes(bytes);
    {
      auto store = open();
      ASSERT_NE(store, nullptr);
      EXPECT_THAT(store->quarantined(), HasSubstr(data_dir_ + "/checkpoints.db.corrupt-"));
      EXPECT_EQ(std::filesystem::file_size(store->quarantined()), bytes.size());
      commit(*store, {{file(1)}, {}, {}, {}});
    }
    EXPECT_EQ(open()->quarantined(), "");
    std::filesystem::remove_all(data_dir_);
  }
}

TEST_F(CheckpointStoreTest, ForeignTablesAreNotTrusted) {
  fill(4);
  sql("CREATE TRIGGER evil AFTER INSERT ON files BEGIN DELETE FROM files; END");
  auto store = open();
  EXPECT_NE(store->quarantined(), "");
  EXPECT_THAT(load(*store).files, SizeIs(4));
  sql("DROP TABLE sink_state; DROP TABLE meta; CREATE VIEW sink_state AS SELECT 1");
  store.reset();
  store = open();
  EXPECT_NE(store->quarantined(), "");
  const CheckpointContent content = load(*store);
  EXPECT_THAT(content.files, SizeIs(4));
  EXPECT_THAT(content.cursors, SizeIs(4));
  EXPECT_THAT(content.states, IsEmpty());
}

// Goal: a damaged page costs its own rows, not the store.
// Method: each page of a store of some hundred rows is overwritten in turn; the store must open, give back
// only what was stored, and take commits again.
TEST_F(CheckpointStoreTest, SalvagesWhatDamagedPagesLeave) {
  fill(400);
  const std::string good = read_bytes();
  ASSERT_EQ(good.size() % 4096, 0u);
  CheckpointContent original = load(*open());
  std::size_t best = 0;
  int grave = 0;
  for (std::size_t page = 0; page < good.size() / 4096; ++page) {
    std::string bad = good;
    std::fill_n(bad.begin() + static_cast<std::ptrdiff_t>(page * 4096), 4096, '\x5A');
    std::filesystem::remove_all(data_dir_);
    std::filesystem::create_directory(data_dir_);
    write_bytes(bad);
    auto store = open();
    ASSERT_NE(store, nullptr) << page;
    const CheckpointContent content = load(*store);
    for (const FileRecord& record : content.files) ASSERT_EQ(record, original.files.at(record.id - 1));
    for (const CursorRecord& record : content.cursors)
      ASSERT_EQ(record, cursor(record.file_id, "bus", record.file_id * 10));
    best = std::max(best, content.files.size());
    const std::uint64_t id = store->next_file_id();
    ASSERT_GT(id, 400u) << page;
    commit(*store, {{file(id)}, {}, {}, {}});
    if (content.files.size() + content.cursors.size() + content.states.size() < 700) ++grave;
  }
  EXPECT_EQ(best, 400u);
  EXPECT_LE(grave, 4);  // the header and the roots of the three tables lead to all the rest
}

TEST_F(CheckpointStoreTest, OpensWhatWasCutShortOrFlippedAnywhere) {
  fill(100);
  const std::string good = read_bytes();
  std::mt19937 random(1);
  for (int round = 0; round < 60; ++round) {
    std::string bad = good;
    if (round % 2 == 0) {
      bad.resize(random() % good.size());
    } else {
      for (int flips = 0; flips < 20; ++flips)
        bad[random() % bad.size()] ^= static_cast<char>(1U << (random() % 8));
    }
    std::filesystem::remove_all(data_dir_);
    std::filesystem::create_directory(data_dir_);
    write_bytes(bad);
    auto store = CheckpointStore::open(data_dir_);
    if (!store && store.error().code == Errc::kUnsupported) continue;  // flipped the version
    ASSERT_TRUE(store) << store.error().text();
    for (const CursorRecord& record : load(**store).cursors) {
      ASSERT_EQ(record, cursor(record.file_id, "bus", record.file_id * 10));
    }
    commit(**store, {{file(7'000'000)}, {}, {}, {}});
  }
}

// Found by the fuzzer: SQLite only reads a file whose header names a later format for writing.
TEST_F(CheckpointStoreTest, AHeaderThatForbidsWritingIsDamage) {
  fill(3);
  std::string bytes = read_bytes();
  bytes[18] = 0x34;
  write_bytes(bytes);
  auto store = open();
  EXPECT_NE(store->quarantined(), "");
  EXPECT_THAT(load(*store).files, SizeIs(3));
  commit(*store, {{file(7'000'000)}, {}, {}, {}});
}

TEST_F(CheckpointStoreTest, GoesOnWhenTheFileIsDeletedWhileItRuns) {
  auto store = open();
  commit(*store, {{file(1)}, {}, {cursor(1, "bus", 5)}, {}});
  std::filesystem::remove(database_);
  commit(*store, {{file(2)}, {}, {cursor(2, "bus", 6)}, {}});
  store.reset();
  store = open();
  const CheckpointContent content = load(*store);
  EXPECT_THAT(content.files, ElementsAre(file(1), file(2)));
  EXPECT_THAT(content.cursors, UnorderedElementsAre(cursor(1, "bus", 5), cursor(2, "bus", 6)));
}

// Goal: what a killed process committed is there, all of it.
// Method: the child commits and dies without closing anything, its write-ahead log not checkpointed.
TEST_F(CheckpointStoreTest, CommitsSurviveAKilledProcess) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto store = CheckpointStore::open(data_dir_);
    for (std::uint64_t n = 1; n <= 20; ++n) {
      if (!(*store)->commit({{file(n)}, {}, {cursor(n, "bus", n)}, {}})) _exit(1);
    }
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  const auto seen = CheckpointStore::read(data_dir_);
  ASSERT_TRUE(seen) << seen.error().text();
  EXPECT_THAT(seen->cursors, SizeIs(20));
  auto store = open();
  EXPECT_EQ(store->quarantined(), "");
  EXPECT_THAT(load(*store).cursors, SizeIs(20));
  EXPECT_EQ(store->next_file_id(), 21u);
}

// Goal: a full disk costs nothing but time.
// Method: RLIMIT_FSIZE lets no file grow beyond its present size, for any user, which SQLite sees as a
// failing write.
TEST_F(CheckpointStoreTest, AFullDiskIsAnErrorAndALaterCommitSucceeds) {
  auto store = open();
  commit(*store, {{file(1)}, {}, {cursor(1, "bus", 1)}, {}});
  CheckpointChanges large;
  for (std::uint64_t id = 2; id < 2000; ++id) large.files.push_back(file(id, std::string(200, 'p')));
  large.cursors = {cursor(1, "bus", 2)};

  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 64 * 1024;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto failed = store->commit(large);
  const auto during = store->load();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, old_handler);

  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::kIo);
  EXPECT_THAT(failed.error().text(), HasSubstr(database_));
  ASSERT_TRUE(during);
  EXPECT_THAT(during->cursors, ElementsAre(cursor(1, "bus", 1)));  // nothing of it
  EXPECT_EQ(store->quarantined(), "");
  commit(*store, large);
  EXPECT_THAT(load(*store).files, SizeIs(1999));
  EXPECT_THAT(load(*store).cursors, ElementsAre(cursor(1, "bus", 2)));
}

TEST_F(CheckpointStoreTest, ReadsWhileAnAgentRunsAndLeavesNothingBehind) {
  const auto none = CheckpointStore::read(data_dir_);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::kNotFound);
  {
    auto store = open();
    commit(*store, {{file(1)}, {}, {cursor(1, "bus", 5)}, {}});
    const auto seen = CheckpointStore::read(data_dir_);
    ASSERT_TRUE(seen) << seen.error().text();
    EXPECT_THAT(seen->cursors, SizeIs(1));
    commit(*store, {{}, {}, {cursor(1, "bus", 6)}, {}});
  }
  const auto seen = CheckpointStore::read(data_dir_);
  ASSERT_TRUE(seen) << seen.error().text();
  EXPECT_THAT(seen->cursors, ElementsAre(cursor(1, "bus", 6)));
}

// -- Ranges -----------------------------------------------------------------------------------------------

RangeRecord range(std::uint64_t begin, std::uint64_t end, std::string reason = "status_400",
                  std::string sink = "bus") {
  return {1, std::move(sink), begin, end, RangeKind::kDiscarded, std::move(reason), end - begin, 1, 42};
}

std::string text_of(const RangeRecord& r) {
  std::string text = r.sink + " [" + std::to_string(r.begin) + "," + std::to_string(r.end) + ") " + r.reason;
  return text + " bytes=" + std::to_string(r.bytes) + " events=" + std::to_string(r.events);
}

std::vector<std::string> texts_of(const CheckpointContent& content) {
  std::vector<std::string> texts;
  for (const RangeRecord& r : content.ranges) texts.push_back(text_of(r));
  std::sort(texts.begin(), texts.end());
  return texts;
}

TEST_F(CheckpointStoreTest, AdjacentRangesOfAReasonAreOneAndWhatIsThereIsNotAddedAgain) {
  auto store = open();
  CheckpointChanges changes{{file(1)}, {}, {cursor(1, "bus", 90)}, {}};
  changes.ranges = {range(10, 20), range(20, 30), range(50, 60), range(60, 70, "too_large")};
  commit(*store, changes);
  CheckpointChanges again;
  again.ranges = {range(10, 20), range(25, 35), range(50, 60), range(5, 8, "leading_nul", "")};
  commit(*store, again);
  store.reset();
  EXPECT_THAT(
      texts_of(load(*open())),
      ElementsAre(" [5,8) leading_nul bytes=3 events=1", "bus [10,35) status_400 bytes=25 events=3",
                  "bus [50,60) status_400 bytes=10 events=1", "bus [60,70) too_large bytes=10 events=1"));
}

TEST_F(CheckpointStoreTest, RangesAreBoundedByJoiningWhatComesBeyond) {
  auto store = open();
  CheckpointChanges changes{{file(1)}, {}, {cursor(1, "bus", 90)}, {}};
  const std::uint64_t many = 10 * CheckpointStore::kRangesMax;
  for (std::uint64_t i = 0; i < many; ++i) changes.ranges.push_back(range(i * 10, i * 10 + 3));
  commit(*store, changes);
  const CheckpointContent content = load(*store);
  EXPECT_THAT(content.ranges, SizeIs(CheckpointStore::kRangesMax));
  std::uint64_t bytes = 0;
  std::uint64_t events = 0;
  for (const RangeRecord& r : content.ranges) {
    bytes += r.bytes;
    events += r.events;
  }
  EXPECT_EQ(bytes, 3 * many);
  EXPECT_EQ(events, many);
}

TEST_F(CheckpointStoreTest, RangesGoWithTheirFileTheirResetAndWhatWasFound) {
  auto store = open();
  CheckpointChanges changes{{file(1), file(2)}, {}, {}, {}};
  RangeRecord lost = range(40, 50, "deleted", "out");
  lost.kind = RangeKind::kLost;
  RangeRecord other = range(1, 2);
  other.file_id = 2;
  changes.ranges = {range(10, 20), range(10, 20, "status_400", "out"), lost, other};
  commit(*store, changes);

  CheckpointChanges found;
  found.found_files = {1};
  commit(*store, found);
  EXPECT_THAT(load(*store).ranges, SizeIs(3));
  CheckpointChanges reset;
  reset.resets = {{1, "bus"}};
  reset.ranges = {range(0, 5, "checkpoint_reset")};
  commit(*store, reset);
  CheckpointChanges removed;
  removed.removed_files = {2};
  commit(*store, removed);
  EXPECT_THAT(texts_of(load(*store)), ElementsAre("bus [0,5) checkpoint_reset bytes=5 events=1",
                                                  "out [10,20) status_400 bytes=10 events=1"));
}

TEST_F(CheckpointStoreTest, ADamagedRangeIsLeftOutAndNeverGrows) {
  auto store = open();
  CheckpointChanges changes{{file(1)}, {}, {}, {}};
  changes.ranges = {range(10, 20)};
  commit(*store, changes);
  store.reset();
  sql("UPDATE ranges SET bytes = 1");
  store = open();
  CheckpointChanges next;
  next.ranges = {range(20, 30)};
  commit(*store, next);
  std::uint64_t damaged = 0;
  EXPECT_THAT(texts_of(load(*store, &damaged)), ElementsAre("bus [20,30) status_400 bytes=10 events=1"));
  EXPECT_EQ(damaged, 1u);
}

// What version 1 wrote, as the example of its format has it.
TEST_F(CheckpointStoreTest, AStoreOfVersion1IsReadAndUpgraded) {
  {
    auto store = open();
    commit(*store, {{file(store->next_file_id())}, {}, {}, {{"out", "k", "v"}}});
  }
  sql("DROP TABLE ranges; DROP TABLE cursors;"
      "CREATE TABLE cursors(row INTEGER PRIMARY KEY, file_id INTEGER, sink BLOB, \"offset\" INTEGER, "
      "seam_bytes INTEGER, seam_hash INTEGER, checksum INTEGER);"
      "CREATE UNIQUE INDEX cursors_by_file_and_sink ON cursors(file_id, sink);"
      "INSERT INTO cursors VALUES(1, 1, x'627573', 6, 6, 0x99fc819aaba2462a, 0xbcf4e6d6d5935f0d);"
      "INSERT INTO cursors VALUES(2, 1, x'6f7574', 7, 6, 0x99fc819aaba2462a, 1);"
      "PRAGMA user_version = 1");
  const auto expect = [](const CheckpointContent& content) {
    ASSERT_THAT(content.cursors, SizeIs(1));
    const CursorRecord& cursor = content.cursors[0];
    EXPECT_EQ(cursor.offset, 6u);
    EXPECT_EQ(cursor.begin, 6u);
    EXPECT_EQ(cursor.delivered_bytes, 0u);
    EXPECT_THAT(texts_of(content), ElementsAre("bus [0,6) before_audit bytes=6 events=0"));
    EXPECT_THAT(content.states, SizeIs(1));
  };
  std::uint64_t damaged = 0;
  const auto seen = CheckpointStore::read(data_dir_, &damaged);
  ASSERT_TRUE(seen) << seen.error().text();
  expect(*seen);
  EXPECT_EQ(damaged, 1u);
  EXPECT_EQ(query("PRAGMA user_version"), "1\n");  // read only
  {
    auto store = open();
    expect(load(*store));
  }
  EXPECT_EQ(query("PRAGMA user_version"), "2\n");
  EXPECT_EQ(query("SELECT origin FROM damaged"), "cursors\n");
}

// The worked example of docs/formats/checkpoint.md: a store that is written today is read by later versions.
TEST_F(CheckpointStoreTest, WritesTheFormatThatIsDocumented) {
  {
    auto store = open();
    const std::uint64_t id = store->next_file_id();
    CheckpointChanges changes{{file(id)}, {}, {{id, "bus", 6, 6, 0x99fc819aaba2462a, 0, 6, 1}}, {}};
    changes.ranges = {
        {id, "bus", 2, 4, RangeKind::kDiscarded, "status_400", 2, 1, 1'700'000'000'000'000'000}};
    commit(*store, changes);
  }
  EXPECT_EQ(query("PRAGMA application_id"), "1279683683\n");
  EXPECT_EQ(query("PRAGMA user_version"), "2\n");
  EXPECT_EQ(
      query("SELECT file_id || '|' || CAST(sink AS TEXT) || '|' || \"offset\" || '|' || seam_bytes || '|' || "
            "printf('%016x', seam_hash) || '|' || begin_offset || '|' || delivered_bytes || '|' || "
            "delivered_events || '|' || printf('%016x', checksum) FROM cursors"),
      "1|bus|6|6|99fc819aaba2462a|0|6|1|d9059165cac75337\n");
  EXPECT_EQ(
      query("SELECT file_id || '|' || CAST(sink AS TEXT) || '|' || begin_offset || '|' || end_offset || "
            "'|' || kind || '|' || CAST(reason AS TEXT) || '|' || bytes || '|' || events || '|' || "
            "printf('%016x', checksum) FROM ranges"),
      "1|bus|2|4|3|status_400|2|1|bee1cb7b38192457\n");
  EXPECT_EQ(query("SELECT value || '|' || printf('%016x', checksum) FROM meta"), "2|24f508492faf7bd6\n");
}

TEST_F(CheckpointStoreTest, TenThousandCursorsAreOneCommit) {
  auto store = open();
  CheckpointChanges changes;
  for (std::uint64_t id = 1; id <= 10'000; ++id) {
    changes.files.push_back(file(id));
    changes.cursors.push_back(cursor(id, "bus", id));
  }
  commit(*store, changes);
  changes.files.clear();
  commit(*store, changes);
  EXPECT_THAT(load(*store).cursors, SizeIs(10'000));
}

}  // namespace
}  // namespace logflume
