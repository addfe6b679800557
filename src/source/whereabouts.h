// Where a file went that left its name while nobody had it open.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "source/file_identity.h"

namespace logflume {

// Looks for an inode in the directory that it left, in those below and beside that, and in the one above:
// where rotation puts files. These are listed once for all files that leave a directory together.
//
// Threads: one.
class Whereabouts {
 public:
  // The path of a regular file whose inode is `key`'s, if it is found.
  std::optional<std::string> find(const std::string& directory, FileKey key);
  // Names may have changed: the next find() lists again.
  void forget();

 private:
  void list_around(const std::string& directory);
  std::vector<std::string> list(const std::string& directory);

  std::optional<std::string> directory_;  // that was listed
  std::uint64_t device_ = 0;
  std::size_t lists_left_ = 0;
  std::unordered_multimap<std::uint64_t, std::string> paths_;  // by inode
};

}  // namespace logflume
