#include "lab/user_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/temp_dir_for_test.h"

namespace logflume {
namespace {

void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

TEST(UserFilesTest, FindsWhatTheGlobsMatchAndCountsTheRest) {
  const TempDir dir;
  std::filesystem::create_directories(dir / "deep/er");
  write(dir / "a.log", "one\n");
  write(dir / "b.txt", "no log\n");
  write(dir / "empty.log", "");
  write(dir / "old.log.gz", "\x1f\x8b\x08 compressed");
  write(dir / "deep/er/c.log", "two\nthree\n");
  std::filesystem::create_hard_link(dir / "a.log", dir / "again.log");
  std::filesystem::create_symlink(dir.path(), dir / "deep/round");  // for ever
  const Result<UserFiles> found = find_user_files({"**/*.log", "*.log.gz", dir / "a.log"}, dir.path());
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_EQ(found->files.size(), 2U);
  EXPECT_EQ(found->bytes(), 14U);
  EXPECT_EQ(found->empty, 1U);
  EXPECT_EQ(found->archives, 1U);
  EXPECT_EQ(found->unreadable, 0U);
  EXPECT_FALSE(found->truncated);
}

TEST(UserFilesTest, NothingThatMatchesIsNoError) {
  const TempDir dir;
  const Result<UserFiles> found = find_user_files({"*.log", "no/such/directory/*"}, dir.path());
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->files.empty());
  EXPECT_FALSE(find_user_files({"[broken"}, dir.path()));
}

TEST(UserFilesTest, ASampleIsOfWholeLinesAndBounded) {
  const TempDir dir;
  std::string text;
  for (int i = 0; i < 400'000; ++i) text += "line " + std::to_string(i) + "\n";
  write(dir / "large.log", text);
  write(dir / "small.log", "small\n");
  write(dir / "unfinished.log", "no end of a line");
  const Result<UserFiles> files = find_user_files({"*.log"}, dir.path());
  ASSERT_TRUE(files);
  ASSERT_EQ(files->files.size(), 3U);
  const Result<std::string> sample = sample_lines(*files, 3'500'000);
  ASSERT_TRUE(sample);
  EXPECT_LE(sample->size(), 3'500'000U);
  EXPECT_GE(sample->size(), 1'000'000U);
  EXPECT_NE(sample->find("small\n"), std::string::npos);
  EXPECT_NE(sample->find("no end of a line"), std::string::npos);
  EXPECT_NE(sample->find("line 399999\n"), std::string::npos);  // also its end
  std::size_t lines = 0;
  for (std::size_t at = 0; at < sample->size(); ++lines) {
    const std::size_t end = std::min(sample->find('\n', at), sample->size());
    const std::string line = sample->substr(at, end - at);
    EXPECT_TRUE(line.starts_with("line ") || line == "small" || line.starts_with("no end of a line")) << line;
    at = end + 1;
  }
  EXPECT_GT(lines, 50'000U);
}

TEST(UserFilesTest, OfAFileThatIsGoneThereIsNoSample) {
  const TempDir dir;
  write(dir / "a.log", "one\n");
  const Result<UserFiles> files = find_user_files({"*.log"}, dir.path());
  ASSERT_TRUE(files);
  std::filesystem::remove(dir / "a.log");
  const Result<std::string> sample = sample_lines(*files, 1000);
  ASSERT_FALSE(sample);
  EXPECT_EQ(sample.error().code, Errc::kNotFound);
}

}  // namespace
}  // namespace logflume
