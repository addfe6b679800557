#include "source/file_names.h"

#include <gtest/gtest.h>

namespace logflume {
namespace {

std::vector<std::string> all(const FileNames& names) {
  std::vector<std::string> found;
  names.any_of([&](const std::string& name) {
    found.push_back(name);
    return false;
  });
  return found;
}
using List = std::vector<std::string>;

TEST(FileNamesTest, GoesByItsLastNameWhenItHasNone) {
  FileNames names("/a");
  EXPECT_FALSE(names.empty());
  names.remove("/a");
  EXPECT_TRUE(names.empty());
  EXPECT_EQ(names.path(), "/a");
  names.add("/b");
  EXPECT_EQ(names.first(), "/b");
  EXPECT_EQ(names.path(), "/a");
  names.go_by("/b");
  EXPECT_EQ(names.path(), "/b");
  EXPECT_EQ(all(names), List{"/b"});
}

TEST(FileNamesTest, KeepsEachNameOnce) {
  FileNames names("/a");
  names.add("/b");
  names.add("/a");
  names.add("/b");
  EXPECT_EQ(all(names), (List{"/a", "/b"}));
  names.go_by("/b");
  EXPECT_EQ(all(names), (List{"/b", "/a"}));
  names.remove("/b");
  EXPECT_EQ(all(names), List{"/a"});
  EXPECT_EQ(names.first(), "/a");
  names.add("/b");
  EXPECT_EQ(names.first(), "/b");
  names.clear();
  EXPECT_TRUE(names.empty());
}

TEST(FileNamesTest, KnowsWhereAFileWentBesideItsNames) {
  FileNames names("/a");
  EXPECT_EQ(names.moved_to(), "");
  names.set_moved_to("/old/a");
  names.clear();
  EXPECT_EQ(names.moved_to(), "/old/a");
  names.set_moved_to("");
  EXPECT_EQ(names.moved_to(), "");
}

}  // namespace
}  // namespace logflume
