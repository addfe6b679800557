// Discovery: links, followed files, and what happens at the limits of inotify.
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "source/discovery_fixture.h"

namespace logflume {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST_F(DiscoveryTest, OnlyRegularFilesCount) {
  ASSERT_EQ(::mkfifo(at("fifo.log").c_str(), 0600), 0);
  link("fifo.log", "to-fifo.log");
  link("/dev/null", "null.log");
  link("nowhere", "dangling.log");
  link("self.log", "self.log");
  start({"*.log"});
  ASSERT_EQ(::mkfifo(at("late.log").c_str(), 0600), 0);
  EXPECT_THAT(events(), IsEmpty());
  EXPECT_THAT(rescan(), IsEmpty());
  EXPECT_EQ(discovery_->known_names(), 0u);
  remove("fifo.log");
  write("fifo.log");
  EXPECT_THAT(events(), UnorderedElementsAre("found fifo.log", "found to-fifo.log"));
}

TEST_F(DiscoveryTest, SeesWritesToALinksTarget) {
  make_directory("logs");
  make_directory("data");
  write("data/real");
  link("../data/real", "logs/a.log");
  start({"logs/*.log"});
  EXPECT_THAT(recorder_.take(), ElementsAre("found logs/a.log"));
  write("data/real");
  EXPECT_THAT(events(), ElementsAre("changed logs/a.log"));
  rename("data/real", "data/real.1");
  EXPECT_THAT(events(), ElementsAre("lost logs/a.log"));
  write("data/real");
  EXPECT_THAT(rescan(), ElementsAre("found logs/a.log"));
}

TEST_F(DiscoveryTest, ALinkSwapIsALossAndAFind) {
  make_directory("logs");
  write("one");
  write("two");
  link("../one", "logs/current.log");
  start({"logs/*.log"});
  recorder_.take();
  link("../two", "logs/.tmp");
  rename("logs/.tmp", "logs/current.log");
  EXPECT_THAT(events(), ElementsAre("lost logs/current.log", "found logs/current.log"));
  write("two");
  EXPECT_THAT(events(), ElementsAre("changed logs/current.log"));
  write("one");
  EXPECT_THAT(events(), IsEmpty());
}

// A Kubernetes volume: a.log -> ..data/a.log, ..data -> ..1, and ..data is replaced at once.
TEST_F(DiscoveryTest, AKubernetesVolumeUpdateIsSeen) {
  make_directory("v/..1");
  make_directory("v/..2");
  write("v/..1/a.log", "1");
  write("v/..2/a.log", "two");
  link("..1", "v/..data");
  link("..data/a.log", "v/a.log");
  start({"v/*.log"});
  EXPECT_THAT(recorder_.take(), ElementsAre("found v/a.log"));
  link("..2", "v/..data_tmp");
  rename("v/..data_tmp", "v/..data");
  EXPECT_THAT(events(), ElementsAre("lost v/a.log", "found v/a.log"));
  EXPECT_EQ(recorder_.last.size_bytes, 3u);
}

TEST_F(DiscoveryTest, ALinkThroughLinksElsewhereIsSeenByTheRescan) {
  make_directory("v");
  make_directory("releases/1");
  make_directory("releases/2");
  write("releases/1/a.log", "1");
  write("releases/2/a.log", "two");
  link("1", "releases/current");
  link("../releases/current/a.log", "v/a.log");
  start({"v/*.log"});
  recorder_.take();
  link("2", "releases/tmp");
  rename("releases/tmp", "releases/current");
  EXPECT_THAT(rescan(), ElementsAre("lost v/a.log", "found v/a.log"));
  EXPECT_EQ(recorder_.last.size_bytes, 3u);
}

TEST_F(DiscoveryTest, TwoNamesOfOneFileAreBothTold) {
  write("a.log");
  fs::create_hard_link(at("a.log"), at("b.log"));
  link("a.log", "c.log");
  start({"*.log"});
  EXPECT_THAT(recorder_.take(), UnorderedElementsAre("found a.log", "found b.log", "found c.log"));
  write("a.log");
  EXPECT_THAT(events(), testing::IsSupersetOf({"changed a.log", "changed c.log"}));
  remove("a.log");
  EXPECT_THAT(events(), testing::IsSupersetOf({"lost a.log", "lost c.log"}));
  EXPECT_EQ(discovery_->known_names(), 1u);
}

TEST_F(DiscoveryTest, FollowsLinksToDirectories) {
  make_directory("logs");
  make_directory("data");
  write("data/a.log");
  link("../data", "logs/app");
  start({"logs/*/*.log"});
  EXPECT_THAT(recorder_.take(), ElementsAre("found logs/app/a.log"));
  write("data/a.log");
  write("data/b.log");
  EXPECT_THAT(events(), ElementsAre("changed logs/app/a.log", "found logs/app/b.log"));
  remove("logs/app");
  EXPECT_THAT(events(), UnorderedElementsAre("lost logs/app/a.log", "lost logs/app/b.log"));
  write("data/a.log");
  EXPECT_THAT(events(), IsEmpty());
}

TEST_F(DiscoveryTest, OneDirectoryReachedByTwoLinks) {
  make_directory("logs");
  make_directory("data");
  link("../data", "logs/x");
  link("../data", "logs/y");
  start({"logs/*/*.log"});
  write("data/a.log");
  EXPECT_THAT(events(), UnorderedElementsAre("found logs/x/a.log", "found logs/y/a.log"));
  remove("logs/x");
  EXPECT_THAT(events(), ElementsAre("lost logs/x/a.log"));
  write("data/a.log");
  EXPECT_THAT(events(), ElementsAre("changed logs/y/a.log"));
}

TEST_F(DiscoveryTest, LinkLoopsEnd) {
  make_directory("a/b");
  write("a/b/x.log");
  link("..", "a/b/up");
  link(root_, "a/home");
  start({"a/**/*.log"});
  const auto told = recorder_.take();
  EXPECT_THAT(told, testing::Contains("found a/b/x.log"));
  EXPECT_LT(told.size(), 10u);
  EXPECT_LT(discovery_->watched_directories(), 10u);
  EXPECT_THAT(rescan(), IsEmpty());
}

TEST_F(DiscoveryTest, ALoopIsEnteredWhereTheGlobSpellsItOut) {
  make_directory("a");
  write("a/x.log");
  link(".", "a/self");
  start({"a/self/self/*.log"});
  EXPECT_THAT(recorder_.take(), ElementsAre("found a/self/self/x.log"));
}

// --- follow

TEST_F(DiscoveryTest, FollowsAnOpenFileThatLeftTheGlobs) {
  write("a.log");
  start({"*.log"});
  const FileToken token = recorder_.last_token();
  const UniqueFd fd(::open(at("a.log").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  ASSERT_TRUE(discovery_->follow(fd.get(), token));
  recorder_.take();
  rename("a.log", "a.log.1");
  events();
  write("a.log.1");
  EXPECT_THAT(events(), ElementsAre("changed a.log"));
  remove("a.log.1");
  events();
  ASSERT_EQ(::write(fd.get(), "late\n", 5), 5);
  EXPECT_THAT(events(), ElementsAre("changed a.log"));
  discovery_->unfollow(token);
  ASSERT_EQ(::write(fd.get(), "late\n", 5), 5);
  EXPECT_THAT(events(), IsEmpty());
}

TEST_F(DiscoveryTest, ALinkAndAFollowerShareAWatch) {
  make_directory("logs");
  write("real");
  link("../real", "logs/a.log");
  start({"logs/*.log"});
  const FileToken token = recorder_.last_token();
  const UniqueFd fd(::open(at("real").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(discovery_->follow(fd.get(), token));
  recorder_.take();
  write("real");
  EXPECT_THAT(events(), ElementsAre("changed logs/a.log"));
  discovery_->unfollow(token);
  write("real");
  EXPECT_THAT(events(), ElementsAre("changed logs/a.log"));
  ASSERT_TRUE(discovery_->follow(fd.get(), token));
  remove("logs/a.log");
  EXPECT_THAT(events(), ElementsAre("lost logs/a.log"));
  write("real");
  EXPECT_THAT(events(), ElementsAre("changed logs/a.log"));
  discovery_->unfollow(token);
  write("real");
  EXPECT_THAT(events(), IsEmpty());
}

// --- scale and the limits of inotify

TEST_F(DiscoveryTest, TenThousandFiles) {
  for (int i = 0; i < 10'000; ++i) {
    const UniqueFd fd(::open(at(std::to_string(i) + ".log").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    ASSERT_TRUE(fd.valid());
  }
  start({"*.log"});
  EXPECT_EQ(recorder_.take().size(), 10'000u);
  EXPECT_EQ(discovery_->known_names(), 10'000u);
  EXPECT_THAT(rescan(), IsEmpty());
  write("7777.log");
  EXPECT_THAT(events(), ElementsAre("changed 7777.log"));
}

// Goal: events that the kernel dropped lose nothing.
// Method: more events than its queue holds, about names that are no concern of ours, then some that are.
TEST_F(DiscoveryTest, AnOverflowRescansAndReportsEveryFile) {
  std::size_t queue = 16'384;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> queue;
  if (queue > 100'000) GTEST_SKIP() << "the queue is too long to fill";
  write("a.log");
  write("gone.log");
  start({"*.log"});
  recorder_.take();
  for (std::size_t i = 0; i <= queue / 2; ++i) {
    const std::string path = at("noise" + std::to_string(i % 2));
    const UniqueFd fd(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    ::unlink(path.c_str());
  }
  write("a.log");
  write("b.log");
  remove("gone.log");
  const auto told = events();
  EXPECT_THAT(told, testing::IsSupersetOf({"changed a.log", "found b.log", "lost gone.log"}));
}

// Inotify cannot be had in a process that has no descriptor left.
TEST_F(DiscoveryTest, WithoutInotifyRescansDoItAll) {
  write("a.log");
  make_directory("real");
  write("real/linked");
  link("real/linked", "b.log");
  const int lowest_free = ::open("/", O_PATH | O_CLOEXEC);
  ::close(lowest_free);
  rlimit limit;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none = {static_cast<rlim_t>(lowest_free), limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  DiscoveryConfig config;
  config.include = {at("*.log"), at("sub/*.log")};
  discovery_ = std::make_unique<Discovery>(config, "test", log_, recorder_);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  discovery_->open();

  EXPECT_EQ(discovery_->fd(), -1);
  EXPECT_EQ(discovery_->watched_directories(), 0u);
  EXPECT_EQ(discovery_->polled_directories(), 1u);
  EXPECT_THAT(recorder_.take(), UnorderedElementsAre("found a.log", "found b.log"));
  EXPECT_EQ(discovery_->poll(), 0u);
  EXPECT_THAT(rescan(), IsEmpty());
  write("a.log");
  write("real/linked");
  make_directory("sub");
  write("sub/c.log");
  EXPECT_THAT(rescan(), UnorderedElementsAre("changed a.log", "changed b.log", "found sub/c.log"));
  EXPECT_THAT(rescan(), IsEmpty());
  rename("a.log", "d.log");
  remove("sub");
  EXPECT_THAT(rescan(), UnorderedElementsAre("lost sub/c.log", "renamed a.log d.log", "changed d.log"));
  const UniqueFd fd(::open(at("d.log").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(discovery_->follow(fd.get(), 1));
}

// Goal: where the watches run out, the rest is polled, and watched as soon as there is room.
// Method: a child in a user namespace of its own, which has a limit of its own.
TEST_F(DiscoveryTest, DirectoriesWithoutAWatchArePolled) {
  constexpr int kCannot = 77;
  for (const char* directory : {"a", "b", "c"}) {
    make_directory(directory);
    write(std::string(directory) + "/1.log");
  }
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto limit = [](const char* watches) {
      std::ofstream file("/proc/sys/user/max_inotify_watches");
      file << watches;
      return static_cast<bool>(file.flush());
    };
    if (::unshare(CLONE_NEWUSER) != 0 || !limit("2")) ::_exit(kCannot);
    start({"{a,b,c}/*.log"});
    EXPECT_EQ(recorder_.take().size(), 3u);
    // One for each directory, but not for the third and for what is above them.
    EXPECT_EQ(discovery_->watched_directories() + discovery_->polled_directories(), 3u);
    EXPECT_GE(discovery_->polled_directories(), 1u);
    for (const char* name : {"a/1.log", "b/1.log", "c/1.log"}) write(name);
    std::vector<std::string> told = events();
    for (std::string& event : rescan()) told.push_back(event);
    EXPECT_THAT(told, UnorderedElementsAre("changed a/1.log", "changed b/1.log", "changed c/1.log"));
    if (!limit("1000")) ::_exit(kCannot);
    EXPECT_THAT(rescan(), IsEmpty());
    EXPECT_EQ(discovery_->watched_directories(), 3u);
    for (const char* name : {"a/1.log", "b/1.log", "c/1.log"}) write(name);
    EXPECT_THAT(events(), UnorderedElementsAre("changed a/1.log", "changed b/1.log", "changed c/1.log"));
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kCannot) GTEST_SKIP() << "no user namespaces here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(DiscoveryTest, TellsWhenItWantsToRescan) {
  start({"*.log"});
  const TimePoint now = steady_now();
  EXPECT_GT(discovery_->next_rescan(), now);
  discovery_->rescan(now);
  EXPECT_EQ(discovery_->next_rescan(), now + std::chrono::seconds(10));
}

}  // namespace
TEST_F(DiscoveryTest, WritesThroughAHardLinkOutsideTheGlobsAreSeen) {
  write("a.log");
  make_directory("other");
  fs::create_hard_link(at("a.log"), at("other/x"));
  start({"*.log"});
  recorder_.take();
  write("other/x");
  EXPECT_THAT(events(), testing::Contains("changed a.log"));
  remove("other/x");
  events();
  write("a.log");
  EXPECT_EQ(events(), std::vector<std::string>{"changed a.log"});
  rename("a.log", "b.log");
  EXPECT_THAT(events(), testing::Contains("renamed a.log b.log"));
  fs::create_hard_link(at("b.log"), at("c.log"));
  EXPECT_THAT(events(), testing::Contains("found c.log"));
}

// Goal: directories that all link to each other do not cost n! paths.
TEST_F(DiscoveryTest, FollowsOnlyAFewLinksToDirectoriesOnOneWay) {
  constexpr int kDirectories = 8;
  for (int i = 0; i < kDirectories; ++i) {
    const std::string name = "d" + std::to_string(i);
    make_directory(name);
    write(name + "/a.log");
    for (int j = 0; j < kDirectories; ++j) {
      if (i != j) link("../d" + std::to_string(j), name + "/to" + std::to_string(j));
    }
  }
  start({"**/*.log"});
  // Without a link, with one, with two and with three; without the bound 109,600.
  EXPECT_EQ(discovery_->known_names(), 8u + 8 * 7 + 8 * 7 * 6 + 8 * 7 * 6 * 5);
  EXPECT_TRUE(recorder_.saw("found d0/to1/to2/to3/a.log"));
  EXPECT_FALSE(recorder_.saw("found d0/to1/to2/to3/to4/a.log"));
  start({"d0/to1/to2/to3/to4/to5/*.log", "d1/*2/*3/*4/*5/*6/*.log"});
  EXPECT_TRUE(recorder_.saw("found d0/to1/to2/to3/to4/to5/a.log"));
  EXPECT_TRUE(recorder_.saw("found d1/to2/to3/to4/to5/to6/a.log"));
}

}  // namespace logflume
