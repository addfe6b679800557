// Which file is this? A name says nothing (rotation), an inode little (reuse), so identity is device, inode,
// birth time, a hash of the first bytes and a hash of the bytes before a known position.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace logflume {

struct FileKey {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const FileKey&) const = default;
};

struct FileKeyHash {
  std::size_t operator()(const FileKey& key) const {
    return std::hash<std::uint64_t>()(key.inode * 0x9E3779B97F4A7C15ULL ^ key.device);
  }
};

// Whether two birth times may be those of one file; 0 is unknown.
constexpr bool same_birth(std::int64_t a_ns, std::int64_t b_ns) {
  return a_ns == 0 || b_ns == 0 || a_ns == b_ns;
}

struct FileStatus {
  FileKey key;
  std::int64_t birth_ns = 0;  // 0 where the file system does not know
  std::uint64_t size_bytes = 0;
  std::uint64_t links = 0;  // 0: deleted
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;  // the inode: of a deleted file, at the earliest its deletion
  bool regular = false;
};

// Hash of a file's first bytes: up to kBytesMax, as many as there were when it was taken.
struct Prefix {
  static constexpr std::uint32_t kBytesMax = 1024;
  std::uint32_t bytes = 0;
  std::uint64_t hash = 0;
  bool operator==(const Prefix&) const = default;
};

// XXH3, the hash of all checkpoints (docs/formats/checkpoint.md).
std::uint64_t hash_bytes(std::string_view bytes);

Result<FileStatus> file_status(int fd);

// Opens for reading without ever blocking (a FIFO that took a file's place) and refuses all but regular
// files.
Result<UniqueFd> open_regular(const std::string& path);

// The first bytes of an open file, at most `bytes_max`. A short file gives less.
Result<std::string> read_head(int fd, std::size_t bytes_max = Prefix::kBytesMax);

// True when the `bytes` bytes before `offset` hash to `hash`.
bool matches_before(int fd, std::uint64_t offset, std::uint32_t bytes, std::uint64_t hash);

// The path in `directory` whose inode is `key`'s, if any: a rotated file under its new name.
std::optional<std::string> find_by_inode(const std::string& directory, FileKey key);

}  // namespace logflume
