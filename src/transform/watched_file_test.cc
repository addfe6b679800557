#include "transform/watched_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "base/temp_dir_for_test.h"

namespace logflume {
namespace {

class WatchedFileTest : public testing::Test {
 protected:
  void write(const std::string& text) { std::ofstream(path_, std::ios::trunc) << text; }
  std::string get() {
    now_ += WatchedFile<std::string>::kLookEvery;
    const auto made = file_.get(now_, changed_, failed_);
    return made ? *made : "null";
  }

  TempDir dir_;
  const std::string path_ = dir_.path() + "/table";
  int made_ = 0;
  WatchedFile<std::string> file_{
      path_, [this](const std::string& path) -> Result<std::shared_ptr<const std::string>> {
        ++made_;
        auto text = read_file(path, 100);
        if (!text) return text.error();
        return std::make_shared<const std::string>(std::move(*text));
      }};
  TimePoint now_ = steady_now();
  bool changed_ = false;
  std::optional<Error> failed_;
};

TEST_F(WatchedFileTest, IsMadeAnewWhenTheFileChanges) {
  EXPECT_EQ(get(), "null");
  EXPECT_TRUE(failed_ && !changed_);
  EXPECT_EQ(get(), "null");
  EXPECT_FALSE(failed_) << "said once";

  write("one");
  EXPECT_EQ(get(), "one");
  EXPECT_TRUE(changed_);
  write("two");
  EXPECT_EQ(get(), "two") << "also when only the content differs";
  EXPECT_TRUE(changed_);

  write(std::string(200, 'x'));
  EXPECT_EQ(get(), "two") << "what cannot be used leaves what there was";
  ASSERT_TRUE(failed_);
  EXPECT_EQ(failed_->text(), path_ + " has more than 100 bytes");
  std::filesystem::remove(path_);
  EXPECT_EQ(get(), "two");
  EXPECT_TRUE(failed_);
  const std::string other = dir_.path() + "/new";
  std::ofstream(other) << "new";
  std::filesystem::rename(other, path_);
  EXPECT_EQ(get(), "new");
}

TEST_F(WatchedFileTest, IsLeftAloneWhileNothingChanges) {
  write("one");
  EXPECT_EQ(get(), "one");
  const auto again = [&] {
    bool changed = false;
    std::optional<Error> failed;
    return *file_.get(now_, changed, failed);
  };
  write("other");
  EXPECT_EQ(again(), "one") << "it is not looked at all the time";
  // Until the clock of the file system has moved on, a write could leave no trace.
  const TimePoint deadline = steady_now() + std::chrono::seconds(20);
  int before = -1;
  while (before != made_ && steady_now() < deadline) {
    before = made_;
    EXPECT_EQ(get(), "other");
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
  }
  EXPECT_EQ(before, made_);
}

// What takes long to be made is not missing for those who come meanwhile.
TEST_F(WatchedFileTest, TheFirstLookIsWaitedFor) {
  write("one");
  WatchedFile<std::string> slow(path_, [](const std::string&) -> Result<std::shared_ptr<const std::string>> {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return std::make_shared<const std::string>("made");
  });
  std::atomic<int> had{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        bool changed = false;
        std::optional<Error> failed;
        const auto made = slow.get(now_, changed, failed);
        had += made != nullptr ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(had.load(), 4);
}

TEST_F(WatchedFileTest, APipeDoesNotHang) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(get(), "null");
  ASSERT_TRUE(failed_);
  EXPECT_EQ(failed_->text(), path_ + " is no regular file");
}

}  // namespace
}  // namespace logflume
