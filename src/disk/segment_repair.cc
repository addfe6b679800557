#include "disk/segment_repair.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/crc32c.h"
#include "disk/record.h"
#include "disk/segment_log.h"
#include "disk/segments.h"

namespace logflume {
namespace {

// A reader needs memory for a whole one.
constexpr std::uint64_t kFillerBytesMax = 32 * 1024;

// Of the segment, by its header or else by its first record that is whole. nullopt: by neither.
Result<std::optional<std::uint32_t>> salt_of(Disk& disk, const std::string& directory, const DiskFile& file,
                                             std::uint64_t first) {
  char bytes[kSegmentHeaderBytes];
  const auto got = file.read(0, bytes);
  if (!got) return got.error();
  if (*got == sizeof bytes) {
    const auto header = SegmentHeader::decode({bytes, sizeof bytes});
    if (header && header->version == kSegmentVersion && header->first == first) return {header->salt};
  }
  SegmentReader reader(disk, directory, first);
  std::string memory(kFillerBytesMax, '\0');
  for (LogChunk chunk; !chunk.at_end;) {
    if (auto read = reader.read(memory, chunk); !read) return std::move(read).error();
    if (chunk.bytes_wanted > memory.size()) memory.resize(chunk.bytes_wanted);
    if (chunk.records.empty()) continue;
    if (chunk.records.front().segment != first) break;
    char record[kRecordHeaderBytes];
    const auto at = Segment{first, 0}.offset_of(chunk.records.front().position);
    const auto record_got = file.read(at, record);
    if (!record_got) return record_got.error();
    if (*record_got != sizeof record) break;
    const auto header = RecordHeader::decode({record, sizeof record});
    if (header) return {header->salt};
    break;
  }
  return {std::nullopt};
}

// That all of it is in `directory`/damaged, durably.
Result<void> put_aside(Disk& disk, const std::string& directory, const DiskFile& file,
                       const LogDamage& damage) {
  const auto kept = keep_aside(disk, directory, damage);
  if (!kept) return kept.error();
  const std::string path = aside_path(directory, damage);
  if (!*kept) return Error{Errc::kInvalidArgument, 0, "there is no room for " + path};
  auto aside = disk.open(path, DiskOpen::kWrite);
  if (!aside) return std::move(aside).error();
  // An earlier look at the damage may have left it, and a crash some of it only.
  std::string there(damage.end - damage.begin + 1, '\0');
  std::string here(damage.end - damage.begin, '\0');
  const auto there_bytes = (*aside)->read(0, there);
  if (!there_bytes) return there_bytes.error();
  const auto here_bytes = file.read(Segment{damage.segment, 0}.offset_of(damage.begin), here);
  if (!here_bytes) return here_bytes.error();
  there.resize(*there_bytes);
  here.resize(*here_bytes);
  if (there != here) return Error{Errc::kInvalidArgument, 0, path + " is there, and holds something else"};
  if (auto synced = (*aside)->sync(); !synced) return synced;
  if (auto synced = disk.sync_directory(parent_directory(path)); !synced) return synced;
  return disk.sync_directory(directory);
}

// The part of [begin, end) that the first filler takes; what is left has room for another.
std::uint64_t filler_end(std::uint64_t begin, std::uint64_t end) {
  if (end - begin <= kFillerBytesMax) return end;
  const bool leaves_room = end - begin >= kFillerBytesMax + kRecordHeaderBytes;
  return begin + kFillerBytesMax - (leaves_room ? 0 : kRecordHeaderBytes);
}

}  // namespace

Result<void> repair(Disk& disk, const std::string& directory, const LogDamage& damage) {
  const Segment segment{damage.segment, 0};
  const std::string path = segment_path(directory, damage.segment);
  auto file = disk.open(path, DiskOpen::kWrite);
  if (!file) return std::move(file).error();
  const auto salt = salt_of(disk, directory, **file, damage.segment);
  if (!salt) return salt.error();

  if (damage.begin == damage.end) {
    const auto header = SegmentHeader{kSegmentVersion, salt->value_or(0), damage.segment}.encode();
    iovec piece{const_cast<char*>(header.data()), header.size()};
    if (auto written = write_all(**file, 0, {&piece, 1}); !written) return written;
    return (*file)->sync();
  }
  if (auto aside = put_aside(disk, directory, **file, damage); !aside) return aside;
  const auto status = (*file)->status();
  if (!status) return status.error();
  const bool fits = damage.end - damage.begin >= kRecordHeaderBytes && damage.end % kRecordAlign == 0;
  if (!fits) {
    if (segment.offset_of(damage.end) < status->size_bytes) {
      return Error{Errc::kInvalidArgument, 0, path + ": there is no room for a filler"};
    }
    if (auto cut = (*file)->truncate(segment.offset_of(damage.begin)); !cut) return cut;
    return (*file)->sync();
  }
  for (std::uint64_t at = damage.begin; at < damage.end;) {
    const std::uint64_t end = filler_end(at, damage.end);
    std::string bytes(end - at, '\0');
    RecordHeader header;
    header.filler = true;
    header.position = at;
    header.payload_bytes = static_cast<std::uint32_t>(bytes.size() - kRecordHeaderBytes);
    header.salt = salt->value_or(0);
    header.payload_crc = crc32c(std::string_view(bytes).substr(kRecordHeaderBytes));
    const auto encoded = header.encode();
    std::copy(encoded.begin(), encoded.end(), bytes.begin());
    iovec piece{bytes.data(), bytes.size()};
    if (auto written = write_all(**file, segment.offset_of(at), {&piece, 1}); !written) return written;
    at = end;
  }
  return (*file)->sync();
}

}  // namespace logflume
