// Goal: whatever bytes stand in a log's segments, the reader comes to an end, gives back only what the bytes
// on disk and their checksums say, in order, tells of every position once, and the log opens and takes
// records again. Input: a byte that says what the rest is: one segment; two, cut at the second byte times 16;
// or a good segment with some bytes replaced (position, 2 bytes; value).
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "base/crc32c.h"
#include "check.h"
#include "disk/segment_log.h"

using namespace logflume;

namespace {

std::string make_directory() {
  std::string path =
      ::access("/dev/shm", W_OK) == 0 ? "/dev/shm/segment_log_fuzz-XXXXXX" : "/tmp/segment_log_fuzz-XXXXXX";
  FUZZ_CHECK(::mkdtemp(path.data()) != nullptr);
  return path;
}

struct Directory {
  std::string path = make_directory();
  ~Directory() { std::filesystem::remove_all(path); }
};

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void put(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

void append(SegmentLog& log, std::string payload) {
  iovec piece{payload.data(), payload.size()};
  const SegmentLog::Record record{1, {&piece, 1}};
  FUZZ_CHECK(log.append({&record, 1}).has_value());
  FUZZ_CHECK(log.sync().has_value());
}

std::string good_segment() {
  const Directory directory;
  auto log = SegmentLog::open(posix_disk(), directory.path, {}, 0);
  FUZZ_CHECK(log.has_value());
  for (std::size_t i = 0; i < 40; ++i) append(**log, std::string(i * i, static_cast<char>('a' + i % 26)));
  return content(segment_path(directory.path, 0));
}

using Contents = std::map<std::uint64_t, std::string>;  // by the segment's first position

Contents contents(const std::string& directory) {
  Contents all;
  const auto segments = list_segments(posix_disk(), directory);
  FUZZ_CHECK(segments.has_value());
  for (const Segment& segment : *segments) {
    all.emplace(segment.first, content(segment_path(directory, segment.first)));
  }
  return all;
}

// What stands in the file at a record's position is that record.
void check_on_disk(const Contents& all, const LogRecord& record) {
  const auto behind = all.upper_bound(record.position);
  FUZZ_CHECK(behind != all.begin());
  const auto& [first, bytes] = *std::prev(behind);
  const std::uint64_t offset = Segment{first, 0}.offset_of(record.position);
  FUZZ_CHECK(offset + kRecordHeaderBytes <= bytes.size());
  const auto header = RecordHeader::decode(std::string_view(bytes).substr(offset));
  FUZZ_CHECK(header.has_value() && header->position == record.position && header->end() == record.end);
  const std::string_view payload =
      std::string_view(bytes).substr(offset + kRecordHeaderBytes, header->payload_bytes);
  FUZZ_CHECK(payload == record.payload);
  FUZZ_CHECK(crc32c(payload) == header->payload_crc);
}

// Returns how many records there are; false in `readable`, when a newer version wrote it.
std::size_t read_all(const std::string& directory, bool& readable) {
  const Contents all = contents(directory);
  SegmentReader reader(posix_disk(), directory, 0);
  std::string memory(SegmentReader::kMemoryMin, '\0');
  LogChunk chunk;
  std::size_t count = 0;
  std::uint64_t position = 0;
  readable = true;
  std::map<std::uint64_t, std::uint64_t> parts;  // records, damages and gaps, each with its end
  do {
    const auto got = reader.read(memory, chunk);
    if (!got) {
      FUZZ_CHECK(got.error().code == Errc::kUnsupported);
      readable = false;
      return count;
    }
    if (chunk.bytes_wanted != 0) {
      FUZZ_CHECK(chunk.bytes_wanted <= record_bytes(kRecordPayloadMax));
      if (chunk.bytes_wanted > memory.size()) memory.resize(chunk.bytes_wanted);
    }
    for (const LogRecord& record : chunk.records) {
      FUZZ_CHECK(record.position >= position && record.end > record.position);
      position = record.end;
      check_on_disk(all, record);
      FUZZ_CHECK(parts.emplace(record.position, record.end).second);
      ++count;
    }
    for (const LogGap& gap : chunk.gaps) FUZZ_CHECK(parts.emplace(gap.begin, gap.end).second);
    for (const LogDamage& damage : chunk.damages) {
      FUZZ_CHECK(damage.begin <= damage.end);
      if (damage.begin != damage.end) FUZZ_CHECK(parts.emplace(damage.begin, damage.end).second);
      FUZZ_CHECK(keep_aside(posix_disk(), directory, damage).has_value());
    }
  } while (!chunk.at_end);
  std::uint64_t told_of = 0;
  for (const auto& [begin, end] : parts) {
    FUZZ_CHECK(begin == told_of);
    told_of = end;
  }
  FUZZ_CHECK(told_of == reader.position());
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string good = good_segment();
  static const Directory directory;
  if (size < 2) return 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path)) {
    std::filesystem::remove_all(entry.path());
  }
  const std::string rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (data[0] % 3 == 0) {
    put(segment_path(directory.path, 0), rest);
  } else if (data[0] % 3 == 1) {
    const std::size_t cut = std::min<std::size_t>(std::size_t{data[1]} * 16, rest.size());
    put(segment_path(directory.path, 0), std::string_view(rest).substr(0, cut));
    put(segment_path(directory.path, cut / 8 * 8), std::string_view(rest).substr(cut));
  } else {
    std::string bytes = good;
    for (std::size_t at = 0; at + 3 <= rest.size(); at += 3) {
      const auto high = static_cast<unsigned char>(rest[at]);
      const auto low = static_cast<unsigned char>(rest[at + 1]);
      bytes[(std::size_t{high} << 8 | low) % bytes.size()] = rest[at + 2];
    }
    put(segment_path(directory.path, 0), bytes);
  }

  bool readable = false;
  const std::size_t before = read_all(directory.path, readable);
  auto log = SegmentLog::open(posix_disk(), directory.path, {4096, 0}, 0);
  if (!log) {
    FUZZ_CHECK(log.error().code == Errc::kUnsupported);
    return 0;
  }
  if (!readable) return 0;
  append(**log, "one more");
  append(**log, std::string(5000, 'x'));
  const std::size_t after = read_all(directory.path, readable);
  FUZZ_CHECK(readable && after >= 2 && after <= before + 2);
  return 0;
}
