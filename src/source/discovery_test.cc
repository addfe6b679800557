#include "source/discovery.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "base/unique_fd.h"

namespace logflume {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// Writes down what it is told: "found a.log", "changed a.log", "renamed a.log b.log", "lost a.log"; paths
// without the test's directory. A file's token is looked up under the name of the moment.
class Recorder : public DiscoveryListener {
 public:
  explicit Recorder(std::string root) : root_(std::move(root)) {}

  FileToken on_found(const FoundFile& file) override {
    events.push_back("found " + local(file.path));
    last = file;
    names_[++token_] = local(file.path);
    return ignored.contains(local(file.path)) ? 0 : token_;
  }
  void on_changed(FileToken token) override { events.push_back("changed " + name(token)); }
  void on_renamed(FileToken token, const std::string& new_path) override {
    events.push_back("renamed " + name(token) + " " + local(new_path));
    names_[token] = local(new_path);
  }
  void on_lost(FileToken token, const std::string& path) override {
    events.push_back("lost " + local(path));
    EXPECT_EQ(name(token), local(path));
  }

  FileToken last_token() const { return token_; }
  std::vector<std::string> take() { return std::exchange(events, {}); }
  bool saw(const std::string& event) const {
    return std::find(events.begin(), events.end(), event) != events.end();
  }

  std::vector<std::string> events;
  std::set<std::string> ignored;
  FoundFile last;

 private:
  std::string local(const std::string& path) const {
    return path.starts_with(root_ + "/") ? path.substr(root_.size() + 1) : path;
  }
  std::string name(FileToken token) const {
    const auto found = names_.find(token);
    return found == names_.end() ? "?" + std::to_string(token) : found->second;
  }

  std::string root_;
  std::map<FileToken, std::string> names_;
  FileToken token_ = 0;
};

class DiscoveryTest : public testing::Test {
 protected:
  DiscoveryTest() : root_(make_root()), recorder_(root_), log_(LogLevel::kError) {}
  ~DiscoveryTest() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  static std::string make_root() {
    std::string path = fs::canonical(testing::TempDir()).string() + "/discovery_XXXXXX";
    return ::mkdtemp(path.data());
  }
  std::string at(const std::string& name) const { return root_ + "/" + name; }

  void start(std::vector<std::string> include, std::vector<std::string> exclude = {}) {
    DiscoveryConfig config;
    for (const std::string& glob : include) config.include.push_back(glob.starts_with('/') ? glob : at(glob));
    for (const std::string& glob : exclude) config.exclude.push_back(at(glob));
    discovery_ = std::make_unique<Discovery>(config, "test", log_, recorder_);
    discovery_->open();
  }
  void write(const std::string& name, const std::string& text = "x\n") const {
    std::ofstream file(at(name), std::ios::app);
    file << text;
    ASSERT_TRUE(file.flush()) << name;
  }
  void make_directory(const std::string& name) const { fs::create_directories(at(name)); }
  void rename(const std::string& from, const std::string& to) const { fs::rename(at(from), at(to)); }
  void remove(const std::string& name) const { fs::remove_all(at(name)); }
  void link(const std::string& target, const std::string& name) const {
    fs::create_symlink(target, at(name));
  }

  // Handles events until there are none. All that was done before is told by then: the kernel queues an
  // event before the call that caused it returns.
  std::vector<std::string> events() {
    while (discovery_->poll() > 0) {
    }
    return recorder_.take();
  }
  std::vector<std::string> rescan() {
    discovery_->rescan(steady_now());
    return recorder_.take();
  }

  const std::string root_;
  Recorder recorder_;
  Log log_;
  std::unique_ptr<Discovery> discovery_;
};

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

TEST_F(DiscoveryTest, ARescanTooTellsARenameAsOne) {
  write("a.log");
  start({"*.log"});
  recorder_.take();
  rename("a.log", "b.log");
  EXPECT_THAT(rescan(), ElementsAre("renamed a.log b.log", "changed b.log"));
  EXPECT_THAT(events(), IsEmpty());
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

// --- links and other things that are not plain files

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
}  // namespace logflume
