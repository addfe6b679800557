#include "source/file_table.h"

#include <gtest/gtest.h>

#include <set>

namespace logflume {
namespace {

TEST(FileTableTest, NoTokenIsGivenTwice) {
  FileTable files;
  std::set<FileToken> tokens;
  for (int i = 0; i < 100; ++i) {
    TailedFile& file = files.add(std::make_unique<TailedFile>());
    EXPECT_NE(file.token, 0u);
    EXPECT_TRUE(tokens.insert(file.token).second);
    EXPECT_EQ(files.get(file.token), &file);
    const FileToken token = file.token;
    if (i % 3 == 0) continue;
    files.remove(token);
    EXPECT_EQ(files.get(token), nullptr);
  }
  EXPECT_EQ(files.size(), 34u);
  std::size_t alive = 0;
  for (const FileToken token : tokens) alive += files.get(token) != nullptr ? 1 : 0;
  EXPECT_EQ(alive, files.size());
}

TEST(FileTableTest, VisitsThoseThatAreThere) {
  FileTable files;
  const FileToken first = files.add(std::make_unique<TailedFile>()).token;
  const FileToken second = files.add(std::make_unique<TailedFile>()).token;
  files.remove(first);
  std::vector<FileToken> seen;
  files.for_each([&](const TailedFile& file) { seen.push_back(file.token); });
  EXPECT_EQ(seen, std::vector<FileToken>{second});
  EXPECT_TRUE(files.any_of([&](const TailedFile& file) { return file.token == second; }));
  EXPECT_FALSE(files.any_of([&](const TailedFile& file) { return file.token == first; }));
  EXPECT_EQ(files.get(0), nullptr);
  EXPECT_EQ(files.get(999), nullptr);
}

}  // namespace
}  // namespace logflume
