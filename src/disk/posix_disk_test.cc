#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/temp_dir_for_test.h"
#include "disk/disk.h"

namespace logflume {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;

std::vector<iovec> pieces_of(std::vector<std::string>& texts) {
  std::vector<iovec> pieces;
  for (std::string& text : texts) pieces.push_back({text.data(), text.size()});
  return pieces;
}

std::string content(DiskFile& file) {
  std::string text(1 << 20, '\0');
  const auto got = file.read(0, text);
  EXPECT_TRUE(got);
  text.resize(*got);
  return text;
}

TEST(PosixDisk, WritesReadsAndCuts) {
  TempDir dir;
  auto file = posix_disk().open(dir / "a", DiskOpen::kCreate);
  ASSERT_TRUE(file) << file.error().text();
  std::vector<std::string> texts{"", "hello ", "", "world", ""};
  auto pieces = pieces_of(texts);
  ASSERT_TRUE(write_all(**file, 3, pieces));
  EXPECT_EQ(content(**file), std::string("\0\0\0hello world", 14));
  ASSERT_TRUE((*file)->truncate(8));
  ASSERT_TRUE((*file)->sync());
  const auto status = (*file)->status();
  ASSERT_TRUE(status);
  EXPECT_EQ(status->size_bytes, 8U);
  EXPECT_EQ(status->links, 1U);
  EXPECT_TRUE(status->regular);
  char byte = 0;
  EXPECT_EQ(*(*file)->read(8, {&byte, 1}), 0U);
}

TEST(PosixDisk, AppendsBehindWhatOthersWrote) {
  TempDir dir;
  auto file = posix_disk().open(dir / "a", DiskOpen::kAppend);
  ASSERT_TRUE(file);
  auto other = posix_disk().open(dir / "a", DiskOpen::kWrite);
  ASSERT_TRUE(other);
  std::vector<std::string> texts{"one", "two"};
  auto pieces = pieces_of(texts);
  ASSERT_TRUE(write_all(**other, 0, pieces));
  pieces = pieces_of(texts);
  ASSERT_TRUE(append_all(**file, pieces));
  EXPECT_EQ(content(**other), "onetwoonetwo");
}

TEST(PosixDisk, GivesAFileASecondName) {
  TempDir dir;
  ASSERT_TRUE(posix_disk().open(dir / "a", DiskOpen::kCreate));
  ASSERT_TRUE(posix_disk().link(dir / "a", dir / "b"));
  EXPECT_EQ(posix_disk().status(dir / "b")->links, 2U);
  EXPECT_EQ(posix_disk().link(dir / "a", dir / "b").error().code, Errc::kBusy);
  EXPECT_EQ(posix_disk().link(dir / "none", dir / "c").error().code, Errc::kNotFound);
}

TEST(PosixDisk, AppendsToWhatALinkWithoutATargetNames) {
  TempDir dir;
  ASSERT_EQ(::symlink((dir / "target").c_str(), (dir / "link").c_str()), 0);
  ASSERT_TRUE(posix_disk().open(dir / "link", DiskOpen::kAppend));
  EXPECT_TRUE(posix_disk().status(dir / "target")->regular);
}

TEST(PosixDisk, SaysWhatIsThereAndWhatIsNot) {
  TempDir dir;
  EXPECT_EQ(posix_disk().open(dir / "a", DiskOpen::kWrite).error().code, Errc::kNotFound);
  ASSERT_TRUE(posix_disk().open(dir / "a", DiskOpen::kCreate));
  EXPECT_EQ(posix_disk().open(dir / "a", DiskOpen::kCreate).error().code, Errc::kBusy);
  ASSERT_TRUE(posix_disk().make_directory(dir / "d"));
  ASSERT_TRUE(posix_disk().make_directory(dir / "d"));
  ASSERT_TRUE(posix_disk().sync_directory(dir.path()));
  EXPECT_THAT(*posix_disk().list(dir.path()), ElementsAre(Field(&DiskEntry::name, "a")));
  ASSERT_TRUE(posix_disk().rename(dir / "a", dir / "b"));
  EXPECT_EQ(posix_disk().status(dir / "a").error().code, Errc::kNotFound);
  EXPECT_TRUE(posix_disk().status(dir / "b"));
  EXPECT_TRUE(posix_disk().remove(dir / "b"));
  EXPECT_TRUE(posix_disk().remove(dir / "b"));
  EXPECT_EQ(posix_disk().list(dir / "none").error().code, Errc::kNotFound);
}

TEST(PosixDisk, IsNotHeldUpByAFifo) {
  TempDir dir;
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(posix_disk().open(dir / "fifo", DiskOpen::kAppend).error().os_errno, ENXIO);
}

TEST(PosixDisk, MakesDirectoriesOnTheWay) {
  TempDir dir;
  ASSERT_TRUE(make_directories(posix_disk(), dir / "x/y/z"));
  ASSERT_TRUE(make_directories(posix_disk(), dir / "x/y/z"));
  EXPECT_TRUE(posix_disk().status(dir / "x/y/z"));
  EXPECT_EQ(parent_directory("/a"), "/");
  EXPECT_EQ(parent_directory("a"), ".");
  EXPECT_EQ(parent_directory("/a/b"), "/a");
}

}  // namespace
}  // namespace logflume
