// Goal: the code and the example in docs/formats/buffer.md are of one format.
#include "buffer/stored_buffer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/temp_dir_for_test.h"
#include "buffer/disk_buffer.h"
#include "disk/record.h"
#include "disk/segments.h"

namespace logflume {
namespace {

// The bytes of the dump below "## Example".
std::string example() {
  std::ifstream file(LOGFLUME_SOURCE_DIR "/docs/formats/buffer.md");
  std::string bytes;
  bool in_example = false;
  for (std::string line; std::getline(file, line);) {
    in_example = in_example || line == "## Example";
    if (!in_example || line.size() < 54 || line.substr(4, 2) != "  ") continue;
    std::istringstream dump(line.substr(6, 48));
    for (unsigned byte = 0; dump >> std::hex >> byte;) bytes += static_cast<char>(byte);
  }
  return bytes;
}

TEST(StoredBuffer, ReadsTheExampleOfTheFormat) {
  const std::string bytes = example();
  ASSERT_EQ(bytes.size(), 0x90U);
  const TempDir dir;
  const std::string directory = buffer_directory(dir.path(), "out");
  std::filesystem::create_directories(directory);
  std::ofstream(segment_path(directory, 0), std::ios::binary) << bytes;

  const auto buffers = find_buffers(dir.path(), {});
  ASSERT_TRUE(buffers) << buffers.error().text();
  ASSERT_EQ(buffers->size(), 1U);
  EXPECT_EQ(buffers->front().sink, "out");
  int seen = 0;
  const auto scanned = scan(posix_disk(), buffers->front(),
                            {[&](const LogRecord& record, const BufferedBatch& batch) {
                               ++seen;
                               EXPECT_EQ(record.position, 0U);
                               EXPECT_EQ(record.end, 112U);
                               EXPECT_EQ(record.items, 1U);
                               EXPECT_EQ(batch.file_id, 7U);
                               EXPECT_EQ(batch.source, "app");
                               EXPECT_EQ(batch.path, "/a.log");
                               EXPECT_EQ(batch.owed.begin, 0U);
                               EXPECT_EQ(batch.owed.end, 6U);
                               EXPECT_EQ(batch.seam.view(), "hello\n");
                               EXPECT_EQ(batch.text, "hello\n");
                               return true;
                             },
                             [](const LogDamage&) { ADD_FAILURE() << "damage"; }});
  ASSERT_TRUE(scanned) << scanned.error().text();
  EXPECT_EQ(seen, 1);

  // And written it is the same.
  const auto header = SegmentHeader::decode(bytes);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->salt, 0x1badcafeU);
  const auto same_header = header->encode();
  EXPECT_EQ(std::string(same_header.begin(), same_header.end()), bytes.substr(0, kSegmentHeaderBytes));
  const auto record = RecordHeader::decode(std::string_view(bytes).substr(kSegmentHeaderBytes));
  ASSERT_TRUE(record);
  const auto same_record = record->encode();
  EXPECT_EQ(std::string(same_record.begin(), same_record.end()),
            bytes.substr(kSegmentHeaderBytes, kRecordHeaderBytes));
}

TEST(StoredBuffer, FindsWhatHasADirectoryOrAState) {
  const TempDir dir;
  for (const char* name : {"out", "a%20b", "%2Ehidden", "a b", "%41"}) {
    std::filesystem::create_directories(dir / "buffers/" + name);
  }
  std::ofstream(dir / "buffers/file") << "x";
  CheckpointContent stored;
  const std::string key(BufferState::kKey);
  stored.states = {
      {"out", key, "1 0 64 2 10"}, {"gone", key, "1 8 8 0 0"}, {"newer", key, "2 ?"}, {"x", "/f", "1"}};
  const auto buffers = find_buffers(dir.path(), stored);
  ASSERT_TRUE(buffers) << buffers.error().text();
  std::string text;
  for (const StoredBuffer& buffer : *buffers) text += buffer.sink + (buffer.state ? "+ " : "- ");
  EXPECT_EQ(text, ".hidden- a b- gone+ newer- out+ ");
}

}  // namespace
}  // namespace logflume
