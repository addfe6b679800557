// The files of a segmented log: one directory, each file named by the position of its first record.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "disk/disk.h"
#include "disk/record.h"

namespace logflume {

struct Segment {
  std::uint64_t first = 0;
  std::uint64_t file_bytes = 0;

  // Behind the last byte that it can hold of the log. A later segment may begin before it: what follows
  // there is no part of the log.
  std::uint64_t end() const {
    return first + (file_bytes > kSegmentHeaderBytes ? file_bytes - kSegmentHeaderBytes : 0);
  }
  std::uint64_t offset_of(std::uint64_t position) const { return kSegmentHeaderBytes + (position - first); }
};

std::string segment_path(const std::string& directory, std::uint64_t first);
// nullopt: not a segment's name.
std::optional<std::uint64_t> segment_first(std::string_view name);
// In the order of their positions. None, where the directory is not there. One that goes meanwhile is left
// out. Errors: those of Disk.
Result<std::vector<Segment>> list_segments(Disk& disk, const std::string& directory);

}  // namespace logflume
