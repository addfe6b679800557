#include "simulation/simulated_disk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "checkpoint/checkpoint_store.h"

namespace logflume {
namespace {

using ::testing::Contains;
using ::testing::IsSubsetOf;

std::unique_ptr<DiskFile> open(SimulatedDisk& disk, const std::string& path, DiskOpen how) {
  auto file = disk.open(path, how);
  EXPECT_TRUE(file) << file.error().text();
  return file ? std::move(*file) : nullptr;
}

void put(DiskFile& file, std::uint64_t offset, std::string text) {
  iovec piece{text.data(), text.size()};
  ASSERT_TRUE(write_all(file, offset, {&piece, 1}));
}

// What a crash may leave of a file with `bytes` durable, over many seeds. `more`: what was done behind that.
template <typename More>
std::set<std::string> outcomes(const std::string& bytes, More more, DiskModel model = {}) {
  std::set<std::string> found;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    SimulatedDisk disk(seed, model);
    const auto file = open(disk, "/a", DiskOpen::kCreate);
    put(*file, 0, bytes);
    EXPECT_TRUE(file->sync());
    EXPECT_TRUE(disk.sync_directory("/"));
    more(*file);
    disk.restart(Crash::kPower);
    const auto left = disk.content("/a");
    EXPECT_TRUE(left);
    found.insert(left.value_or("nothing"));
  }
  return found;
}

TEST(SimulatedDisk, KeepsWhatWasSynced) {
  EXPECT_THAT(outcomes("durable", [](DiskFile&) {}), IsSubsetOf({"durable"}));
}

TEST(SimulatedDisk, LosesOrKeepsWhatWasNotSynced) {
  const auto found = outcomes("one", [](DiskFile& file) { put(file, 3, "two"); });
  EXPECT_EQ(found, (std::set<std::string>{"one", "onetwo", std::string("one\0\0\0", 6)}));
}

TEST(SimulatedDisk, TearsAtTheBordersOfSectorsAndReorders) {
  const std::string before(1536, 'a');
  const auto found = outcomes(before, [](DiskFile& file) { put(file, 0, std::string(1536, 'b')); });
  // Any of the three sectors may be old or new, each whole.
  EXPECT_EQ(found.size(), 8U);
  for (const std::string& bytes : found) {
    for (std::size_t sector = 0; sector < 3; ++sector) {
      const std::string held = bytes.substr(sector * 512, 512);
      EXPECT_TRUE(held == std::string(512, 'a') || held == std::string(512, 'b'));
    }
  }
}

TEST(SimulatedDisk, MayUndoATruncationAndBringsNothingBackBehindOneThatStays) {
  const auto found = outcomes(std::string(600, 'a'), [](DiskFile& file) {
    EXPECT_TRUE(file.truncate(2));
    put(file, 2, "b");
  });
  EXPECT_THAT(found, Contains("aab"));
  EXPECT_THAT(found, Contains("aa"));
  EXPECT_THAT(found, Contains(std::string(600, 'a')));
  for (const std::string& bytes : found) {
    EXPECT_TRUE(bytes.size() != 3 || bytes == "aab" || bytes == std::string("aa\0", 3));
  }
}

TEST(SimulatedDisk, ShowsZerosOrGarbageWhereOnlyTheSizeIsDurable) {
  DiskModel model;
  model.garbage = true;
  const auto found = outcomes(
      "", [](DiskFile& file) { put(file, 0, "text"); }, model);
  EXPECT_THAT(found, Contains(std::string("\0\0\0\0", 4)));
  EXPECT_GT(found.size(), 4U);
}

TEST(SimulatedDisk, KeepsTheOrderOfNamesInADirectory) {
  std::set<std::string> found;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SimulatedDisk disk(seed);
    open(disk, "/a", DiskOpen::kCreate);
    ASSERT_TRUE(disk.sync_directory("/"));
    open(disk, "/b", DiskOpen::kCreate);
    ASSERT_TRUE(disk.rename("/b", "/a"));
    open(disk, "/c", DiskOpen::kCreate);
    disk.restart(Crash::kPower);
    std::string names;
    const auto entries = disk.list("/");
    ASSERT_TRUE(entries);
    for (const DiskEntry& entry : *entries) names += entry.name;
    found.insert(names);
  }
  EXPECT_EQ(found, (std::set<std::string>{"a", "ab", "ac"}));
}

TEST(SimulatedDisk, LosesADirectoryWithAllThatIsInIt) {
  std::set<bool> there;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SimulatedDisk disk(seed);
    ASSERT_TRUE(disk.make_directory("/d"));
    open(disk, "/d/a", DiskOpen::kCreate);
    disk.restart(Crash::kPower);
    EXPECT_TRUE(!disk.content("/d/a") || disk.list("/d"));
    there.insert(disk.list("/d").has_value());
  }
  EXPECT_EQ(there, (std::set<bool>{false, true}));
  SimulatedDisk disk(1);
  ASSERT_TRUE(make_directories(disk, "/d/e"));
  open(disk, "/d/e/a", DiskOpen::kCreate);
  ASSERT_TRUE(disk.sync_directory("/d/e"));
  disk.restart(Crash::kPower);
  EXPECT_TRUE(disk.content("/d/e/a"));
}

TEST(SimulatedDisk, KeepsEverythingWhenOnlyTheProcessDies) {
  SimulatedDisk disk(1);
  const auto file = open(disk, "/a", DiskOpen::kAppend);
  std::string text = "text";
  iovec piece{text.data(), text.size()};
  ASSERT_TRUE(append_all(*file, {&piece, 1}));
  disk.restart(Crash::kKill);
  EXPECT_EQ(disk.content("/a"), "text");
  EXPECT_FALSE(file->sync());  // of a process that is gone
}

// fsyncgate: the kernel reports a failed write-back once and calls the pages clean.
TEST(SimulatedDisk, MayForgetWhatAFailedSyncDidNotWrite) {
  std::set<std::string> found;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SimulatedDisk disk(seed);
    const auto file = open(disk, "/a", DiskOpen::kCreate);
    ASSERT_TRUE(disk.sync_directory("/"));
    put(*file, 0, "text");
    DiskFaults faults;
    faults.sync = 1;
    disk.set_faults(faults);
    EXPECT_EQ(file->sync().error().os_errno, EIO);
    disk.set_faults({});
    EXPECT_TRUE(file->sync());
    disk.restart(Crash::kPower);
    found.insert(*disk.content("/a"));
  }
  EXPECT_EQ(found, (std::set<std::string>{"text", std::string("\0\0\0\0", 4)}));
}

TEST(SimulatedDisk, IsFullAtItsCapacity) {
  SimulatedDisk disk(1);
  DiskFaults faults;
  faults.capacity_bytes = 6;
  disk.set_faults(faults);
  const auto file = open(disk, "/a", DiskOpen::kCreate);
  std::string text = "12345678";
  iovec piece{text.data(), text.size()};
  const auto written = file->write(0, {&piece, 1});
  ASSERT_TRUE(written);
  EXPECT_EQ(*written, 6U);
  EXPECT_EQ(file->write(6, {&piece, 1}).error().os_errno, ENOSPC);
  put(*file, 0, "abcdef");  // what is there may be overwritten
  ASSERT_TRUE(file->truncate(0));
  put(*file, 0, "abc");
}

TEST(SimulatedDisk, DoesNothingAnyMoreOnceItHasStopped) {
  SimulatedDisk disk(7);
  const auto file = open(disk, "/a", DiskOpen::kCreate);
  ASSERT_TRUE(disk.sync_directory("/"));
  disk.stop_after(2);
  put(*file, 0, "text");
  EXPECT_FALSE(file->sync());
  EXPECT_TRUE(disk.stopped());
  EXPECT_FALSE(disk.open("/b", DiskOpen::kCreate));
  char byte = 0;
  EXPECT_FALSE(file->read(0, {&byte, 1}));
  disk.restart(Crash::kKill);
  EXPECT_FALSE(disk.stopped());
  EXPECT_EQ(disk.content("/a"), "text");
  EXPECT_FALSE(disk.content("/b"));
}

TEST(SimulatedDisk, RepeatsItselfWithTheSameSeed) {
  const auto run = [](std::uint64_t seed) {
    SimulatedDisk disk(seed);
    const auto file = open(disk, "/a", DiskOpen::kCreate);
    EXPECT_TRUE(disk.sync_directory("/"));
    for (std::uint64_t i = 0; i < 20; ++i) put(*file, i * 300, std::string(300, static_cast<char>('a' + i)));
    disk.restart(Crash::kPower);
    return disk.content("/a");
  };
  std::set<std::optional<std::string>> found;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_EQ(run(seed), run(seed));
    found.insert(run(seed));
  }
  EXPECT_GT(found.size(), 5U);
}

// The store is SQLite's, through a virtual file system over the same disk.
TEST(SimulatedDisk, CarriesTheCheckpointStoreThroughPowerLosses) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SimulatedDisk disk(seed);
    ASSERT_TRUE(make_directories(disk, "/data"));
    std::uint64_t stored = 0;
    for (std::uint64_t life = 0; life < 5; ++life) {
      auto store = CheckpointStore::open("/data", disk);
      ASSERT_TRUE(store) << store.error().text();
      EXPECT_EQ((*store)->quarantined(), "");
      const auto content = (*store)->load();
      ASSERT_TRUE(content);
      const std::uint64_t found = content->cursors.empty() ? 0 : content->cursors[0].offset;
      // The last one may be there although it was not confirmed.
      EXPECT_GE(found, stored) << "seed " << seed;
      EXPECT_LE(found, stored + 1) << "seed " << seed;
      stored = found;
      disk.stop_after(seed * 3 + life * 7 + 1);
      for (int i = 0; i < 30; ++i) {
        CheckpointChanges changes;
        FileRecord file;
        file.id = 1;
        file.source = "app";
        changes.files.push_back(file);
        changes.cursors.push_back({1, "out", stored + 1, 0, 0});
        if (!(*store)->commit(changes)) break;
        ++stored;
      }
      disk.stop_now();
      store->reset();
      disk.restart(Crash::kPower);
    }
  }
}

// A read that fails once must not make the store look damaged, which would forget all positions.
TEST(SimulatedDisk, ADiskThatFailsForAMomentMakesNoStoreLookDamaged) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SimulatedDisk disk(seed);
    ASSERT_TRUE(make_directories(disk, "/data"));
    {
      auto store = CheckpointStore::open("/data", disk);
      ASSERT_TRUE(store);
      CheckpointChanges changes;
      FileRecord file;
      file.id = 1;
      file.source = "app";
      changes.files.push_back(file);
      changes.cursors.push_back({1, "out", 42, 0, 0});
      ASSERT_TRUE((*store)->commit(changes));
    }
    DiskFaults faults;
    faults.read = 0.2;
    disk.set_faults(faults);
    if (auto store = CheckpointStore::open("/data", disk)) (void)(*store)->load();
    disk.set_faults({});
    auto store = CheckpointStore::open("/data", disk);
    ASSERT_TRUE(store) << store.error().text();
    const auto content = (*store)->load();
    ASSERT_TRUE(content);
    ASSERT_EQ(content->cursors.size(), 1U) << "seed " << seed;
    EXPECT_EQ(content->cursors[0].offset, 42U);
    const auto entries = disk.list("/data");
    ASSERT_TRUE(entries);
    for (const DiskEntry& entry : *entries) {
      EXPECT_EQ(entry.name.find("corrupt"), entry.name.npos) << "seed " << seed;
    }
  }
}

// What a failed sync has forgotten can still be read, until the power goes: a process that takes it for
// stored must store it again.
TEST(SimulatedDisk, AStoreDoesNotBuildOnWhatAFailedSyncHasForgotten) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SimulatedDisk disk(seed);
    ASSERT_TRUE(make_directories(disk, "/data"));
    const auto commit = [](CheckpointStore& store, std::uint64_t offset) {
      CheckpointChanges changes;
      FileRecord file;
      file.id = 1;
      file.source = "app";
      changes.files.push_back(file);
      changes.cursors.push_back({1, "out", offset, 0, 0});
      return store.commit(changes);
    };
    {
      auto store = CheckpointStore::open("/data", disk);
      ASSERT_TRUE(store);
      ASSERT_TRUE(commit(**store, 1));
      DiskFaults faults;
      faults.sync = 1;
      disk.set_faults(faults);
      ASSERT_FALSE(commit(**store, 2));
      disk.stop_now();
    }
    disk.set_faults({});
    disk.restart(Crash::kKill);
    {
      auto store = CheckpointStore::open("/data", disk);
      ASSERT_TRUE(store);
      ASSERT_TRUE(commit(**store, 3));
      disk.stop_now();
    }
    disk.restart(Crash::kPower);
    auto store = CheckpointStore::open("/data", disk);
    ASSERT_TRUE(store);
    const auto content = (*store)->load();
    ASSERT_TRUE(content);
    ASSERT_EQ(content->cursors.size(), 1U);
    EXPECT_EQ(content->cursors[0].offset, 3U) << "seed " << seed;
  }
}

}  // namespace
}  // namespace logflume
