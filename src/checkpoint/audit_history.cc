#include "checkpoint/audit_history.h"

#include <algorithm>

#include "checkpoint/audit_journal.h"
#include "disk/segment_reader.h"

namespace logflume {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;
constexpr int kRemovedMax = 100;
// What the journal writes is far smaller: whatever asks for more is none of it.
constexpr std::uint64_t kRecordBytesMax = 64 * 1024 * 1024;

// Calls `take` with each record of the log, and says how much could not be read.
template <typename Take>
Result<std::uint64_t> read_log(Disk& disk, const std::string& directory, Take take) {
  SegmentReader reader(disk, directory, 0);
  std::string memory(kReadBytes, '\0');
  LogChunk chunk;
  std::uint64_t damaged = 0;
  int removed = 0;
  do {
    if (auto read = reader.read(memory, chunk); !read) {
      // The writer removed what was about to be read: what is left begins further on.
      if (read.error().code == Errc::kNotFound && ++removed < kRemovedMax) continue;
      return std::move(read).error();
    }
    if (chunk.bytes_wanted > kRecordBytesMax) return Error{Errc::kCorrupt, 0, directory + ": no journal"};
    if (chunk.bytes_wanted > memory.size()) memory.resize(chunk.bytes_wanted);
    damaged += chunk.damages.size();
    for (const LogRecord& record : chunk.records) {
      if (!take(record)) ++damaged;
    }
  } while (!chunk.at_end);
  return damaged;
}

}  // namespace

Result<FormerNames> read_former_names(Disk& disk, const std::string& data_dir) {
  FormerNames names;
  const auto read = read_log(disk, audit_names_directory(data_dir), [&](const LogRecord& record) {
    auto notes = decode_name_notes(record.payload, record.items);
    if (!notes) return false;
    for (NameNote& note : *notes) {
      std::vector<NameNote>& known = names[note.file_id];
      std::erase_if(known, [&](const NameNote& other) { return other.path == note.path; });
      if (known.size() == kFormerNamesMax) known.erase(known.begin());
      known.push_back(std::move(note));
    }
    return true;
  });
  if (!read) return read.error();
  return names;
}

Result<BatchHistory> read_batch_history(Disk& disk, const std::string& data_dir, std::uint64_t file_id,
                                        FileRange range) {
  BatchHistory history;
  const auto read = read_log(disk, audit_batches_directory(data_dir), [&](const LogRecord& record) {
    const auto notes = decode_batch_notes(record.payload, record.items);
    if (!notes) return false;
    for (const BatchNote& note : notes->notes) {
      if (!std::exchange(history.has_journal, true)) history.since_ns = note.at_ns;
      if (note.file_id != file_id || note.range.begin >= range.end || note.range.end <= range.begin) continue;
      if (history.steps.size() == BatchHistory::kStepsMax) history.steps.erase(history.steps.begin());
      history.steps.push_back({notes->stage, notes->component, note});
    }
    return true;
  });
  if (!read) return read.error();
  history.damaged = *read;
  std::stable_sort(history.steps.begin(), history.steps.end(),
                   [](const auto& a, const auto& b) { return a.note.at_ns < b.note.at_ns; });
  return history;
}

}  // namespace logflume
