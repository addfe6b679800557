// What a file source can be told. Names are those of the configuration.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "multiline/multiline_config.h"

namespace logflume {

enum class StartAt { kBeginning, kEnd };
enum class ReadMode { kAuto, kPread, kMmap, kIoUring };

struct DeletedFilesConfig {
  std::uint64_t max_bytes = 1024ULL * 1024 * 1024;  // unread bytes of deleted files that are held open
  Duration max_age = std::chrono::hours(1);
  bool operator==(const DeletedFilesConfig&) const = default;
};

struct FileSourceConfig {
  std::string formerly;              // the name of the source before; empty: none
  std::vector<std::string> include;  // globs
  std::vector<std::string> exclude;
  StartAt start_at = StartAt::kBeginning;
  ReadMode read_mode = ReadMode::kAuto;
  std::optional<std::uint64_t> rate_limit;       // bytes a second, the whole source
  std::optional<std::uint64_t> file_rate_limit;  // bytes a second, each file
  std::uint64_t max_line_bytes = 1024 * 1024;
  bool strip_cr = false;
  MultilineConfig multiline;
  std::optional<Duration> ignore_older;    // files last written longer ago are not read when found
  std::optional<Duration> close_inactive;  // handles unused for so long are closed
  Duration rotate_wait = std::chrono::seconds(60);
  Duration rescan_interval = std::chrono::seconds(10);
  Duration coalesce = std::chrono::microseconds(250);  // least time between two reads of a busy source
  std::optional<Duration> latency;  // a line may wait so long before it is sent, in place of `coalesce`
  DeletedFilesConfig deleted_files;
  bool operator==(const FileSourceConfig&) const = default;
};

}  // namespace logflume
