#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "source/discovery_fixture.h"

namespace logflume {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST_F(DiscoveryTest, FindsWhatIsThere) {
  write("a.log", "12345");
  write("b.txt");
  make_directory("sub.log");
  write("sub.log/c.log");
  start({"*.log"});
  EXPECT_THAT(recorder_.take(), ElementsAre("found a.log"));
  EXPECT_EQ(recorder_.last.path, at("a.log"));
  EXPECT_EQ(recorder_.last.size_bytes, 5u);
  struct stat status;
  ASSERT_EQ(::stat(at("a.log").c_str(), &status), 0);
  EXPECT_EQ(recorder_.last.inode, status.st_ino);
  EXPECT_EQ(recorder_.last.device, status.st_dev);
  EXPECT_EQ(recorder_.last.modified_ns, status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec);
  EXPECT_EQ(discovery_->known_names(), 1u);
  EXPECT_EQ(discovery_->watched_directories(), 1u);
  EXPECT_EQ(discovery_->polled_directories(), 0u);
}

TEST_F(DiscoveryTest, SeesFilesComeChangeAndGo) {
  start({"*.log"});
  EXPECT_THAT(recorder_.take(), IsEmpty());
  write("a.log");
  EXPECT_THAT(events(), ElementsAre("found a.log"));
  write("a.log");
  write("a.log");
  EXPECT_THAT(events(), ElementsAre("changed a.log"));
  fs::resize_file(at("a.log"), 0);
  EXPECT_THAT(events(), ElementsAre("changed a.log"));
  remove("a.log");
  EXPECT_THAT(events(), ElementsAre("lost a.log"));
  EXPECT_EQ(discovery_->known_names(), 0u);
  write("b.txt");
  EXPECT_THAT(events(), IsEmpty());
  EXPECT_THAT(rescan(), IsEmpty());
}

TEST_F(DiscoveryTest, ReportsWhoeverIsThereWhenManyThingsHappenedAtOnce) {
  start({"*.log"});
  write("a.log", "old");
  remove("a.log");
  write("a.log", "newer");
  write("short-lived.log");
  remove("short-lived.log");
  EXPECT_THAT(events(), ElementsAre("found a.log"));
  EXPECT_EQ(recorder_.last.size_bytes, 5u);
}

TEST_F(DiscoveryTest, AReplacedFileIsLostFirst) {
  write("a.log");
  write("new.tmp");
  start({"*.log"});
  recorder_.take();
  rename("new.tmp", "a.log");
  EXPECT_THAT(events(), ElementsAre("lost a.log", "found a.log"));
  write("b.log");
  remove("a.log");
  rename("b.log", "a.log");
  EXPECT_THAT(events(), ElementsAre("lost a.log", "found a.log"));
}

TEST_F(DiscoveryTest, AnInodeThatIsUsedAgainIsAnotherFile) {
  write("a.log");
  start({"*.log"});
  recorder_.take();
  const FoundFile first = recorder_.last;
  if (first.birth_ns == 0) GTEST_SKIP() << "this file system knows no birth times";
  // ext4 hands the number of a deleted file out again; others may not, then this shows less.
  remove("a.log");
  write("a.log");
  EXPECT_THAT(events(), ElementsAre("lost a.log", "found a.log"));
  EXPECT_NE(recorder_.last.birth_ns, first.birth_ns);
}

// Goal: names that there is no room for are counted, kept out, and found once there is room; renames go on.
TEST_F(DiscoveryTest, NamesWithoutRoomWait) {
  for (const char* name : {"a.log", "b.log", "c.log"}) write(name);
  start({"*.log"});
  EXPECT_EQ(recorder_.take().size(), 3u);
  recorder_.room = 0;
  for (const char* name : {"d.log", "e.log", "f.log"}) write(name);
  EXPECT_THAT(events(), IsEmpty());
  EXPECT_EQ(discovery_->known_names(), 3u);
  EXPECT_EQ(discovery_->waiting_names(), 3u);
  write("d.log");
  rename("a.log", "g.log");
  EXPECT_THAT(events(), ElementsAre("renamed a.log g.log", "changed g.log"));
  EXPECT_THAT(rescan(), IsEmpty());
  EXPECT_EQ(discovery_->waiting_names(), 3u);
  remove("e.log");
  recorder_.room = SIZE_MAX;
  EXPECT_THAT(rescan(), UnorderedElementsAre("found d.log", "found f.log"));
  EXPECT_EQ(discovery_->waiting_names(), 0u);
}

TEST_F(DiscoveryTest, FollowsARenameBetweenNames) {
  write("app.log");
  start({"app.log*"});
  recorder_.take();
  rename("app.log", "app.log.1");
  write("app.log");
  EXPECT_THAT(events(), ElementsAre("renamed app.log app.log.1", "changed app.log.1", "found app.log"));
  write("app.log.1");
  EXPECT_THAT(events(), ElementsAre("changed app.log.1"));
}

// logrotate: .2 -> .3, .1 -> .2, the file -> .1, all before anybody looks.
TEST_F(DiscoveryTest, ARotationChainIsToldFromItsEnd) {
  for (const char* name : {"a.log", "a.log.1", "a.log.2"}) write(name);
  start({"a.log*"});
  recorder_.take();
  rename("a.log.2", "a.log.3");
  rename("a.log.1", "a.log.2");
  rename("a.log", "a.log.1");
  write("a.log");
  EXPECT_THAT(events(),
              ElementsAre("renamed a.log.2 a.log.3", "changed a.log.3", "renamed a.log.1 a.log.2",
                          "changed a.log.2", "renamed a.log a.log.1", "changed a.log.1", "found a.log"));
}

TEST_F(DiscoveryTest, ARenameOverAnotherFileLosesThatOneFirst) {
  write("a.log");
  write("b.log");
  start({"*.log"});
  recorder_.take();
  rename("a.log", "b.log");
  EXPECT_THAT(events(), ElementsAre("lost b.log", "renamed a.log b.log", "changed b.log"));
  EXPECT_EQ(discovery_->known_names(), 1u);
}

TEST_F(DiscoveryTest, ExchangedNamesAreTwoRenames) {
  write("a.log");
  write("b.log");
  start({"*.log"});
  recorder_.take();
  if (::renameat2(AT_FDCWD, at("a.log").c_str(), AT_FDCWD, at("b.log").c_str(), RENAME_EXCHANGE) != 0) {
    GTEST_SKIP() << "no RENAME_EXCHANGE here";
  }
  const auto told = events();
  EXPECT_THAT(told, testing::IsSupersetOf({"renamed a.log b.log", "renamed b.log a.log"}));
  EXPECT_EQ(discovery_->known_names(), 2u);
}

TEST_F(DiscoveryTest, ARenameOutOfTheGlobsLosesAndOneIntoThemFinds) {
  write("a.log");
  start({"*.log"});
  recorder_.take();
  rename("a.log", "a.old");
  EXPECT_THAT(events(), ElementsAre("lost a.log"));
  rename("a.old", "c.log");
  EXPECT_THAT(events(), ElementsAre("found c.log"));
}

TEST_F(DiscoveryTest, AFileThatCameBackBeforeAnybodyLookedHasChanged) {
  write("a.log");
  make_directory("away");
  start({"*.log"});
  recorder_.take();
  rename("a.log", "away/a");
  write("away/a");
  rename("away/a", "a.log");
  EXPECT_EQ(events(), std::vector<std::string>{"changed a.log"});
}

TEST_F(DiscoveryTest, ARescanTooTellsARenameAsOne) {
  write("a.log");
  start({"*.log"});
  recorder_.take();
  rename("a.log", "b.log");
  EXPECT_THAT(rescan(), ElementsAre("renamed a.log b.log", "changed b.log"));
  EXPECT_THAT(events(), ElementsAre("changed b.log"));  // a second look, no second rename
}

// Goal: a directory that has long been quiet is not listed again, and still nothing is missed.
// Method: waits until its time stamp is old enough to be trusted; then changes that only rescans are told.
TEST_F(DiscoveryTest, ARescanSeesChangesOfAQuietDirectory) {
  make_directory("d");
  write("one");
  write("two");
  write("d/a.log");
  link("../to", "d/b.log");
  link("one", "to");
  start({"d/*.log"});
  recorder_.take();
  struct stat status;
  do {
    std::this_thread::sleep_for(50ms);
    ASSERT_EQ(::stat(at("d").c_str(), &status), 0);
  } while (wall_now_ns() / 1'000'000'000 - status.st_ctim.tv_sec < 4);
  EXPECT_THAT(rescan(), IsEmpty());
  EXPECT_THAT(rescan(), IsEmpty());
  link("two", "tmp");
  rename("tmp", "to");
  EXPECT_THAT(rescan(), ElementsAre("lost d/b.log", "found d/b.log"));
  write("d/c.log");
  EXPECT_THAT(rescan(), ElementsAre("found d/c.log"));
  remove("d/a.log");
  EXPECT_THAT(rescan(), ElementsAre("lost d/a.log"));
}

TEST_F(DiscoveryTest, ExcludeLeavesOut) {
  make_directory("private/deep");
  write("a.log");
  write("b.log");
  write("private/deep/c.log");
  start({"**/*.log"}, {"b.*", "private/**"});
  EXPECT_THAT(recorder_.take(), ElementsAre("found a.log"));
  EXPECT_EQ(discovery_->watched_directories(), 1u);  // nothing below private/ can match
  rename("a.log", "b.log");
  EXPECT_THAT(events(), ElementsAre("lost a.log"));
}

TEST_F(DiscoveryTest, ANameThatTheListenerDoesNotWantIsQuiet) {
  recorder_.ignored.insert("a.log");
  write("a.log");
  start({"*.log"});
  EXPECT_THAT(recorder_.take(), ElementsAre("found a.log"));
  write("a.log");
  EXPECT_THAT(events(), IsEmpty());
  EXPECT_THAT(rescan(), IsEmpty());
  rename("a.log", "b.log");
  EXPECT_THAT(events(), ElementsAre("found b.log"));
}

// --- directories

TEST_F(DiscoveryTest, WaitsForADirectoryThatDoesNotExist) {
  start({"one/two/three/*.log"});
  EXPECT_THAT(recorder_.take(), IsEmpty());
  make_directory("one");
  EXPECT_THAT(events(), IsEmpty());
  make_directory("one/two/three");
  write("one/two/three/a.log");
  EXPECT_THAT(events(), ElementsAre("found one/two/three/a.log"));
  write("one/two/three/a.log");
  EXPECT_THAT(events(), ElementsAre("changed one/two/three/a.log"));
  EXPECT_EQ(discovery_->watched_directories(), 1u);  // the way there is not listened to any more
}

TEST_F(DiscoveryTest, WaitsAgainWhenTheDirectoryWentAway) {
  make_directory("one/two");
  write("one/two/a.log");
  start({"one/two/*.log"});
  recorder_.take();
  remove("one");
  EXPECT_THAT(events(), ElementsAre("lost one/two/a.log"));
  make_directory("one/two");
  write("one/two/b.log");
  EXPECT_THAT(events(), ElementsAre("found one/two/b.log"));
}

TEST_F(DiscoveryTest, NoticesThatAnAncestorWasRenamed) {
  make_directory("one/two");
  write("one/two/a.log");
  start({"one/two/*.log"});
  recorder_.take();
  rename("one", "uno");
  EXPECT_THAT(events(), ElementsAre("lost one/two/a.log"));
  rename("uno", "one");
  EXPECT_THAT(events(), ElementsAre("found one/two/a.log"));
}

TEST_F(DiscoveryTest, FindsFilesInNewDirectories) {
  start({"**/*.log"});
  make_directory("x/y");
  write("x/y/a.log");  // before anybody watches x
  EXPECT_THAT(events(), ElementsAre("found x/y/a.log"));
  write("x/b.log");
  EXPECT_THAT(events(), ElementsAre("found x/b.log"));
  EXPECT_EQ(discovery_->watched_directories(), 3u);
  remove("x");
  EXPECT_THAT(events(), UnorderedElementsAre("lost x/y/a.log", "lost x/b.log"));
  EXPECT_EQ(discovery_->watched_directories(), 1u);
}

TEST_F(DiscoveryTest, ARenamedDirectoryRenamesItsFiles) {
  make_directory("a/deep");
  write("a/1.log");
  write("a/deep/2.log");
  start({"**/*.log"});
  recorder_.take();
  rename("a", "b");
  write("b/1.log");
  // The write came through the old watch, which knows the file by its old name until the tree is looked at.
  EXPECT_THAT(events(), UnorderedElementsAre("changed a/1.log", "renamed a/1.log b/1.log", "changed b/1.log",
                                             "renamed a/deep/2.log b/deep/2.log", "changed b/deep/2.log"));
  write("b/deep/2.log");
  EXPECT_THAT(events(), ElementsAre("changed b/deep/2.log"));
  make_directory("a");
  write("a/3.log");
  EXPECT_THAT(events(), ElementsAre("found a/3.log"));
}

TEST_F(DiscoveryTest, ADirectoryMovedInAndOut) {
  make_directory("in");
  make_directory("outside/d");
  write("outside/d/a.log");
  start({"in/**/*.log"});
  EXPECT_THAT(recorder_.take(), IsEmpty());
  rename("outside/d", "in/d");
  EXPECT_THAT(events(), ElementsAre("found in/d/a.log"));
  rename("in/d", "outside/d");
  EXPECT_THAT(events(), ElementsAre("lost in/d/a.log"));
  write("outside/d/a.log");
  EXPECT_THAT(events(), IsEmpty());
  EXPECT_EQ(discovery_->watched_directories(), 1u);
}

TEST_F(DiscoveryTest, ADirectoryReplacedByAnotherOfTheSameName) {
  make_directory("d");
  write("d/a.log");
  make_directory("other");
  write("other/a.log");
  start({"d/*.log"});
  recorder_.take();
  ASSERT_EQ(::renameat2(AT_FDCWD, at("other").c_str(), AT_FDCWD, at("d").c_str(), RENAME_EXCHANGE), 0);
  EXPECT_THAT(events(), ElementsAre("lost d/a.log", "found d/a.log"));
  write("d/a.log");
  EXPECT_THAT(events(), ElementsAre("changed d/a.log"));
  write("other/a.log");
  EXPECT_THAT(events(), IsEmpty());
}

TEST_F(DiscoveryTest, WatchesOnlyWhereAGlobLeads) {
  make_directory("logs/app");
  make_directory("data/app");
  make_directory("logs/app/deeper");
  start({"logs/*/*.log"});
  EXPECT_EQ(discovery_->watched_directories(), 2u);  // logs and logs/app
}

TEST_F(DiscoveryTest, OneDirectoryReachedByTwoGlobsIsOne) {
  make_directory("a/b");
  write("a/b/1.log");
  start({"a/**/*.log", "a/b/*.log", "{a/b,a}/1.log"});
  EXPECT_THAT(recorder_.take(), ElementsAre("found a/b/1.log"));
}

TEST_F(DiscoveryTest, AnUnreadableDirectoryIsSeenWhenItBecomesReadable) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads everything";
  make_directory("d");
  write("d/a.log");
  ::chmod(at("d").c_str(), 0);
  start({"d/*.log"});
  EXPECT_THAT(recorder_.take(), IsEmpty());
  ::chmod(at("d").c_str(), 0700);
  EXPECT_THAT(rescan(), ElementsAre("found d/a.log"));
}

TEST_F(DiscoveryTest, NamesAreBytes) {
  const std::string name = "we\nird \xff\xfe.log";
  write(name);
  start({"*.log"});
  EXPECT_THAT(recorder_.take(), ElementsAre("found " + name));
  write(name);
  EXPECT_THAT(events(), ElementsAre("changed " + name));
}

}  // namespace
TEST_F(DiscoveryTest, SaysWhereALostFileWent) {
  make_directory("far/off");
  for (const char* name : {"moved.log", "away.log", "deleted.log", "twice.log"}) write(name);
  write("far/off/other.log");
  start({"*.log", "far/**/*.log"});
  recorder_.discovery = discovery_.get();
  recorder_.take();
  rename("moved.log", "far/off/moved.1");
  fs::create_directory(root_ + ".out");
  fs::rename(at("away.log"), root_ + ".out/away.log");
  remove("deleted.log");
  rename("twice.log", "twice.1");
  write("twice.log");
  remove("twice.log");
  events();
  using How = Discovery::Departure::How;
  auto& departures = recorder_.departures;
  EXPECT_EQ(departures["moved.log"].how, How::kMoved);
  EXPECT_EQ(departures["moved.log"].to, at("far/off/moved.1"));
  EXPECT_EQ(departures["away.log"].how, How::kMoved);
  EXPECT_EQ(departures["away.log"].to, "");
  EXPECT_EQ(departures["deleted.log"].how, How::kDeleted);
  EXPECT_EQ(departures["twice.log"].to, at("twice.1"));
  fs::remove_all(root_ + ".out");
}

}  // namespace logflume
