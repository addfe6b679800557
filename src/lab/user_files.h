// The user's own log files, looked at: which there are, and a bounded sample of what is in them. Read only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace logflume {

struct UserFile {
  std::string path;
  std::uint64_t size = 0;
  std::int64_t written_ns = 0;  // last modification, since 1970
};

struct UserFiles {
  std::vector<UserFile> files;  // regular files with something in them that can be read; the latest first
  std::size_t empty = 0;
  std::size_t archives =
      0;  // compressed ones: logflume reads them, but a sample says little about live files
  std::size_t unreadable = 0;
  std::string unreadable_why;  // of the first of those
  bool truncated = false;      // there are more than kUserFilesMax: they were not looked at

  std::uint64_t bytes() const;
};

constexpr std::size_t kUserFilesMax = 100'000;

// Those that the globs match; relative ones are taken from `directory`. Errors: kInvalidArgument (no glob).
// That nothing matches is none.
Result<UserFiles> find_user_files(const std::vector<std::string>& patterns, const std::string& directory);

// At most `bytes_max` of whole lines, from several places of the files that were written last: what log lines
// look like, as far as so few of them can tell. Errors: kIo and the like when not one of the files can be
// read.
Result<std::string> sample_lines(const UserFiles& files, std::size_t bytes_max);

}  // namespace logflume
