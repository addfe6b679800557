#include "source/handle_pool.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "source/whereabouts.h"

namespace logflume {
namespace {

class HandlePoolTest : public testing::Test {
 protected:
  HandlePoolTest() : blocks_(make_pread_reader()) {
    root_ = std::filesystem::canonical(testing::TempDir()).string() + "/handles_XXXXXX";
    EXPECT_NE(::mkdtemp(root_.data()), nullptr);
  }
  ~HandlePoolTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }

  TailedFile& make(const std::string& name, const std::string& text = "line\n") {
    std::ofstream(root_ + "/" + name) << text;
    files_.push_back(std::make_unique<TailedFile>());
    TailedFile& file = *files_.back();
    const Result<UniqueFd> fd = open_regular(root_ + "/" + name);
    file.key = file_status(fd->get())->key;
    file.names = FileNames(root_ + "/" + name);
    return file;
  }

  std::string root_;
  std::unique_ptr<BlockReader> blocks_;
  std::vector<std::unique_ptr<TailedFile>> files_;
};

TEST_F(HandlePoolTest, ClosesTheLeastRecentlyUsed) {
  HandlePool pool(2, *blocks_);
  TailedFile &a = make("a"), &b = make("b"), &c = make("c");
  ASSERT_TRUE(pool.open(a));
  ASSERT_TRUE(pool.open(b));
  ASSERT_TRUE(pool.open(a));
  ASSERT_TRUE(pool.open(c));
  EXPECT_TRUE(a.fd.valid());
  EXPECT_FALSE(b.fd.valid());
  EXPECT_EQ(pool.open_count(), 2U);
}

TEST_F(HandlePoolTest, MakesDoWithTheDescriptorsThatAreLeft) {
  HandlePool pool(100, *blocks_);
  for (int i = 0; i < 40; ++i) make(std::to_string(i));
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const UniqueFd lowest(::dup(0));
  rlimit few = limit;
  few.rlim_cur = static_cast<rlim_t>(lowest.get()) + 10;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  std::vector<std::string> failures;
  for (const auto& file : files_) {
    if (const auto opened = pool.open(*file); !opened) failures.push_back(opened.error().text());
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(failures, std::vector<std::string>{});
  EXPECT_LT(pool.open_count(), 10U);
}

TEST_F(HandlePoolTest, FindsAgainWhatWasMovedAndThenClosed) {
  HandlePool pool(2, *blocks_);
  TailedFile &a = make("a"), &b = make("b"), &c = make("c");
  ASSERT_TRUE(pool.open(a));
  std::filesystem::create_directory(root_ + "/old");
  std::filesystem::rename(root_ + "/a", root_ + "/old/a");
  a.names.clear();
  a.place = TailedFile::Place::kMoved;
  ASSERT_TRUE(pool.open(b));
  ASSERT_TRUE(pool.open(c));
  EXPECT_FALSE(a.fd.valid());
  EXPECT_EQ(a.names.moved_to(), root_ + "/old/a");
  std::filesystem::rename(root_ + "/old/a", root_ + "/old/a.1");  // in its directory: by inode
  ASSERT_TRUE(pool.open(a));
  EXPECT_EQ(file_status(a.fd.get())->key, a.key);
}

TEST_F(HandlePoolTest, KeepsADeletedFileThatIsNotReadToItsEnd) {
  HandlePool pool(2, *blocks_);
  TailedFile &unread = make("unread"), &empty = make("empty", "");
  TailedFile &other = make("other"), &last = make("last");
  for (TailedFile* file : {&unread, &empty}) {
    ASSERT_TRUE(pool.open(*file));
    std::filesystem::remove(file->path());
    file->names.clear();
    file->place = TailedFile::Place::kMoved;  // it was moved, and then deleted
  }
  ASSERT_TRUE(pool.open(other));
  ASSERT_TRUE(pool.open(last));
  EXPECT_TRUE(unread.fd.valid());
  EXPECT_EQ(unread.place, TailedFile::Place::kDeleted);
  EXPECT_FALSE(empty.fd.valid());
}

TEST_F(HandlePoolTest, WhereaboutsAreBesideAboveAndBelow) {
  for (const char* directory : {"logs", "logs/deep", "beside", "beside/deep"})
    std::filesystem::create_directory(root_ + "/" + directory);
  Whereabouts whereabouts;
  for (const std::string name : {"logs/a", "logs/deep/a", "beside/a", "a"}) {
    EXPECT_EQ(whereabouts.find(root_ + "/logs", make(name).key), root_ + "/" + name);
    whereabouts.forget();
  }
  EXPECT_EQ(whereabouts.find(root_ + "/logs", make("beside/deep/a").key), std::nullopt);
}

TEST(OpenFilesAllowedTest, LeavesDescriptorsForTheRest) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const auto allowed = [&](rlim_t descriptors, std::size_t wanted) {
    rlimit some = limit;
    some.rlim_cur = descriptors;
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &some), 0);
    const std::size_t files = open_files_allowed(wanted);
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    return files;
  };
  EXPECT_EQ(allowed(1024, 10), 10U);
  EXPECT_EQ(allowed(1024, 1024), 768U);
  EXPECT_EQ(allowed(256, 1024), 192U);
  EXPECT_EQ(allowed(64, 1024), 16U);
}

}  // namespace
}  // namespace logflume
