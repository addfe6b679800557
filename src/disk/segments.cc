#include "disk/segments.h"

#include <algorithm>
#include <charconv>

namespace logflume {
namespace {

constexpr std::string_view kSuffix = ".seg";
constexpr std::size_t kDigits = 20;
constexpr std::uint64_t kPositionMax = std::uint64_t{1} << 62;  // nobody writes so much

}  // namespace

std::string segment_path(const std::string& directory, std::uint64_t first) {
  const std::string digits = std::to_string(first);
  std::string path = directory;
  path.append("/").append(kDigits - digits.size(), '0').append(digits).append(kSuffix);
  return path;
}

std::optional<std::uint64_t> segment_first(std::string_view name) {
  if (name.size() != kDigits + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  std::uint64_t first = 0;
  const char* end = name.data() + kDigits;
  const auto [stop, error] = std::from_chars(name.data(), end, first);
  if (error != std::errc{} || stop != end || first % kRecordAlign != 0 || first > kPositionMax) {
    return std::nullopt;
  }
  return first;
}

Result<std::vector<Segment>> list_segments(Disk& disk, const std::string& directory) {
  std::vector<Segment> segments;
  auto entries = disk.list(directory);
  if (!entries && entries.error().code == Errc::kNotFound) return segments;
  if (!entries) return std::move(entries).error();
  for (const DiskEntry& entry : *entries) {
    const auto first = segment_first(entry.name);
    if (!first) continue;
    const auto status = disk.status(segment_path(directory, *first));
    if (!status && status.error().code == Errc::kNotFound) continue;
    if (!status) return status.error();
    if (status->regular) segments.push_back({*first, status->size_bytes});
  }
  std::sort(segments.begin(), segments.end(),
            [](const Segment& a, const Segment& b) { return a.first < b.first; });
  return segments;
}

}  // namespace logflume
