// Goal: whatever bytes stand where the checkpoints should be, the store opens or says why not; what it gives
// back was stored (its checksums hold), and it takes commits again.
// Input: one byte that says what the rest is, then checkpoints.db, or a good store with some bytes replaced
// (position, 3 bytes; value), so that the fuzzer gets past SQLite's header.
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "check.h"
#include "checkpoint/checkpoint_store.h"

using namespace logflume;

namespace {

// In memory: nothing is to be made durable.
std::string make_directory() {
  std::string path =
      ::access("/dev/shm", W_OK) == 0 ? "/dev/shm/checkpoint_fuzz-XXXXXX" : "/tmp/checkpoint_fuzz-XXXXXX";
  FUZZ_CHECK(::mkdtemp(path.data()) != nullptr);
  return path;
}

struct Directory {
  std::string path = make_directory();
  ~Directory() { std::filesystem::remove_all(path); }
};

FileRecord file(std::uint64_t id) {
  FileRecord record;
  record.id = id;
  record.source = "app";
  record.path = "/var/log/" + std::to_string(id);
  return record;
}
CursorRecord cursor(std::uint64_t file_id) { return {file_id, "bus", file_id * 10, 6, file_id}; }

std::string good_store() {
  const Directory directory;
  {
    auto store = CheckpointStore::open(directory.path);
    FUZZ_CHECK(store.has_value());
    CheckpointChanges changes;
    for (std::uint64_t id = 1; id <= 60; ++id) {
      changes.files.push_back(file(id));
      changes.cursors.push_back(cursor(id));
    }
    changes.states.push_back({"out", "key", "value"});
    FUZZ_CHECK((*store)->commit(changes).has_value());
  }
  std::ifstream in(directory.path + "/checkpoints.db", std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string good = good_store();
  static const Directory directory;
  if (size == 0) return 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path)) {
    std::filesystem::remove(entry.path());
  }

  const unsigned mode = data[0] % 3;
  const std::string rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string bytes = rest;
  if (mode != 0) {
    bytes = good;
    for (std::size_t at = 0; at + 4 <= rest.size(); at += 4) {
      const auto byte = [&](std::size_t i) {
        return static_cast<std::size_t>(static_cast<unsigned char>(rest[at + i]));
      };
      bytes[(byte(0) << 16 | byte(1) << 8 | byte(2)) % bytes.size()] = rest[at + 3];
    }
  }
  write(directory.path + "/checkpoints.db", bytes);
  if (mode == 2) write(directory.path + "/checkpoints.db-wal", rest);

  (void)CheckpointStore::read(directory.path);
  auto store = CheckpointStore::open(directory.path);
  if (!store) {
    FUZZ_CHECK(!store.error().text().empty());
    return 0;
  }
  std::uint64_t damaged = 0;
  const auto content = (*store)->load(&damaged);
  FUZZ_CHECK(content.has_value());
  if (mode == 1) {
    // A few bytes cannot forge a checksum.
    for (const CursorRecord& record : content->cursors) FUZZ_CHECK(record.offset == record.file_id * 10);
  }
  const std::uint64_t id = (*store)->next_file_id();
  for (const FileRecord& record : content->files) FUZZ_CHECK(record.id < id);
  CheckpointChanges changes;
  changes.files.push_back(file(id));
  changes.cursors.push_back(cursor(id));
  FUZZ_CHECK((*store)->commit(changes).has_value());
  const auto again = (*store)->load(&damaged);
  FUZZ_CHECK(again.has_value());
  FUZZ_CHECK(!again->files.empty() && again->files.back().id == id);
  return 0;
}
