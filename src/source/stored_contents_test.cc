#include "source/stored_contents.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace logflume {
namespace {

FileRecord record_of(std::uint64_t id, std::uint64_t inode, std::string_view head = {}) {
  FileRecord record;
  record.id = id;
  record.source = "app";
  record.path = "/var/log/" + std::to_string(id) + ".log";
  record.device = 7;
  record.inode = inode;
  record.birth_ns = static_cast<std::int64_t>(1000 + id);
  record.prefix_bytes = static_cast<std::uint32_t>(head.size());
  record.prefix_hash = hash_bytes(head);
  record.finished = id % 2 == 0;
  record.size_bytes = 10 * id;
  record.updated_ns = static_cast<std::int64_t>(2000 + id);
  return record;
}

CursorRecord cursor_of(std::uint64_t id, std::string sink, std::uint64_t offset) {
  return {id, std::move(sink), offset, 12, 34, 5, 67, 8};
}

void add(StoredContents& stored, const FileRecord& record, const std::vector<CursorRecord>& cursors = {}) {
  std::vector<const CursorRecord*> pointers;
  for (const CursorRecord& cursor : cursors) pointers.push_back(&cursor);
  stored.add(record, pointers);
}

TEST(StoredContentsTest, GivesBackWhatWasAdded) {
  StoredContents stored;
  add(stored, record_of(9, 90), {cursor_of(9, "a", 50), cursor_of(9, "b", 60)});
  add(stored, record_of(4, 40, "head"));
  stored.seal();
  EXPECT_EQ(stored.size(), 2u);

  const auto row = stored.find(FileKey{7, 90});
  ASSERT_TRUE(row);
  EXPECT_TRUE(stored.stood_at(*row, "b", 60));
  EXPECT_FALSE(stored.stood_at(*row, "b", 50));
  EXPECT_FALSE(stored.stood_at(*row, "c", 60));
  const StoredContents::Content content = stored.take(*row);
  const FileRecord& record = content.record;
  EXPECT_EQ(record.id, 9u);
  EXPECT_EQ(record.source, "app");
  EXPECT_EQ(record.path, "/var/log/9.log");
  EXPECT_EQ(record.device, 7u);
  EXPECT_EQ(record.inode, 90u);
  EXPECT_EQ(record.birth_ns, 1009);
  EXPECT_EQ(record.prefix_bytes, 0u);
  EXPECT_FALSE(record.gone);
  EXPECT_FALSE(record.finished);
  EXPECT_EQ(record.size_bytes, 90u);
  EXPECT_EQ(record.updated_ns, 2009);
  ASSERT_EQ(content.cursors.size(), 2u);
  const CursorRecord& cursor = content.cursors[1];
  EXPECT_EQ(cursor.file_id, 9u);
  EXPECT_EQ(cursor.sink, "b");
  EXPECT_EQ(cursor.offset, 60u);
  EXPECT_EQ(cursor.seam_bytes, 12u);
  EXPECT_EQ(cursor.seam_hash, 34u);
  EXPECT_EQ(cursor.begin, 5u);
  EXPECT_EQ(cursor.delivered_bytes, 67u);
  EXPECT_EQ(cursor.delivered_events, 8u);

  EXPECT_FALSE(stored.find(FileKey{7, 90}));
  EXPECT_FALSE(stored.find(std::uint64_t{9}));
  EXPECT_EQ(stored.ids(), std::vector<std::uint64_t>{4});
  const auto other = stored.find(std::uint64_t{4});
  ASSERT_TRUE(other);
  EXPECT_TRUE(stored.take(*other).record.finished);
  EXPECT_EQ(stored.size(), 0u);
}

TEST(StoredContentsTest, FindsTheLongestPrefixFirst) {
  StoredContents stored;
  add(stored, record_of(1, 1, "a"));
  add(stored, record_of(2, 2, "abc"));
  add(stored, record_of(3, 3, "abd"));
  add(stored, record_of(4, 4, "abcde"));
  add(stored, record_of(5, 5, "abc"));
  add(stored, record_of(6, 6));
  stored.seal();
  std::vector<std::uint64_t> ids;
  stored.find_alike("abcd", 64, ids);
  EXPECT_EQ(ids, (std::vector<std::uint64_t>{2, 5, 1}));
  ids.clear();
  stored.find_alike("abcd", 1, ids);
  EXPECT_EQ(ids, std::vector<std::uint64_t>{2});
  (void)stored.take(*stored.find(std::uint64_t{2}));
  ids.clear();
  stored.find_alike("abcd", 64, ids);
  EXPECT_EQ(ids, (std::vector<std::uint64_t>{5, 1}));
}

TEST(StoredContentsTest, AnInodeIsThatOfTheLastOne) {
  StoredContents stored;
  add(stored, record_of(1, 5));
  add(stored, record_of(2, 5));
  stored.seal();
  const auto row = stored.find(FileKey{7, 5});
  ASSERT_TRUE(row);
  EXPECT_EQ(stored.take(*row).record.id, 2u);
  EXPECT_FALSE(stored.find(FileKey{7, 5}));
  EXPECT_TRUE(stored.keys().empty());
  EXPECT_TRUE(stored.find(std::uint64_t{1}));
}

// Goal: what is left is found whatever went before, also when the blocks were made smaller.
TEST(StoredContentsTest, KeepsTheRestWhenMostWentAway) {
  constexpr std::uint64_t kCount = 1000;
  StoredContents stored;
  for (std::uint64_t i = 1; i <= kCount; ++i) {
    const std::string head = "head " + std::to_string(i);
    add(stored, record_of(i, kCount - i, head), {cursor_of(i, i % 3 == 0 ? "a" : "b", i)});
  }
  stored.seal();
  for (std::uint64_t i = 1; i <= kCount; ++i) {
    const std::uint64_t id = 1 + (i * 7919) % kCount;
    const auto row = stored.find(FileKey{7, kCount - id});
    ASSERT_TRUE(row) << id;
    std::vector<std::uint64_t> alike;
    stored.find_alike("head " + std::to_string(id), 64, alike);
    EXPECT_NE(std::find(alike.begin(), alike.end(), id), alike.end());
    const StoredContents::Content content = stored.take(*row);
    EXPECT_EQ(content.record.path, "/var/log/" + std::to_string(id) + ".log");
    ASSERT_EQ(content.cursors.size(), 1u);
    EXPECT_EQ(content.cursors[0].offset, id);
    EXPECT_EQ(content.cursors[0].sink, id % 3 == 0 ? "a" : "b");
    EXPECT_EQ(stored.size(), kCount - i);
    EXPECT_EQ(stored.ids().size(), kCount - i);
  }
}

}  // namespace
}  // namespace logflume
