#include "buffer/stored_buffer.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "base/percent.h"
#include "buffer/disk_buffer.h"
#include "disk/segments.h"

namespace logflume {
namespace {

constexpr std::size_t kMemory = 1024 * 1024;

}  // namespace

Result<std::vector<StoredBuffer>> find_buffers(const std::string& data_dir, const CheckpointContent& stored) {
  std::map<std::string, std::optional<BufferState>> found;
  for (const SinkStateRecord& record : stored.states) {
    if (is_buffer_state(record.key)) found[record.sink] = BufferState::decode(record.value);
  }
  std::error_code failed;
  std::filesystem::directory_iterator entry(data_dir + "/buffers", failed);
  for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
    const auto sink = percent_decode(entry->path().filename().native());
    std::error_code gone;
    if (sink && buffer_directory(data_dir, *sink) == entry->path().native() && entry->is_directory(gone)) {
      found.try_emplace(*sink);
    }
  }
  if (failed && failed != std::errc::no_such_file_or_directory) {
    return errno_error(failed.value(), "list " + data_dir + "/buffers");
  }
  std::vector<StoredBuffer> buffers;
  for (auto& [sink, state] : found) {
    buffers.push_back({sink, buffer_directory(data_dir, sink), std::move(state)});
  }
  return buffers;
}

Result<void> scan(Disk& disk, const StoredBuffer& buffer, const BufferVisitor& visitor) {
  const std::uint64_t durable_to = buffer.state ? buffer.state->durable_to : 0;
  SegmentReader reader(disk, buffer.directory, 0);
  std::string memory(kMemory, '\0');
  LogChunk chunk;
  for (const std::uint64_t limit : {durable_to, UINT64_MAX}) {
    do {
      if (auto read = reader.read(memory, chunk, limit); !read) return read;
      if (chunk.bytes_wanted > memory.size()) memory.resize(chunk.bytes_wanted);
      // Both are in order; shown so.
      auto damage = chunk.damages.begin();
      const auto show_damages_before = [&](std::uint64_t position) {
        for (; damage != chunk.damages.end() && damage->begin <= position; ++damage) {
          visitor.on_damage(*damage);
        }
      };
      for (const LogRecord& record : chunk.records) {
        show_damages_before(record.position);
        const auto batch = BufferedBatch::decode(record.payload, record.items);
        if (!batch) {
          visitor.on_damage({record.position, record.end, record.items, record.segment});
        } else if (!visitor.on_batch(record, *batch)) {
          return {};
        }
      }
      show_damages_before(UINT64_MAX);
    } while (!chunk.at_end);
  }
  return {};
}

}  // namespace logflume
