#include "buffer/disk_buffer.h"

#include <xxhash.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/percent.h"
#include "buffer/buffer_intake.h"
#include "buffer/buffer_state.h"
#include "buffer/buffer_writer.h"
#include "buffer/buffered_batch.h"
#include "buffer/buffered_records.h"
#include "disk/segment_log.h"

namespace logflume {
namespace {

constexpr std::uint64_t kSegmentBytesMin = 64 * 1024;
constexpr std::uint64_t kSegmentBytesMax = 64 * 1024 * 1024;
constexpr std::uint64_t kSegmentsMin = 16;  // of a full buffer

using CursorsByFile = std::unordered_map<std::uint64_t, CursorRecord*>;
using MovedCursors = std::unordered_set<const CursorRecord*>;

// Counts what stands behind `reader` in the log, which ends at `end`, as the state's, and moves cursors over
// it: it became durable, and that was not committed any more. Its sources need not keep it either.
Result<MovedCursors> take_up(SegmentReader& reader, std::uint64_t end, BufferState& state,
                             const CursorsByFile& cursors) {
  MovedCursors moved;
  std::string memory(SlabPool::kSlabBytes, '\0');
  LogChunk chunk;
  while (reader.position() < end) {
    if (auto read = reader.read(memory, chunk, end); !read) return std::move(read).error();
    if (chunk.bytes_wanted > memory.size()) memory.resize(chunk.bytes_wanted);
    // Nobody was told that it was durable. Should it come back nevertheless after a power failure, it is read
    // again by then.
    for (const LogGap& gap : chunk.gaps) state.done.mark(gap.begin, gap.end);
    for (const LogRecord& record : chunk.records) {
      const auto batch = BufferedBatch::decode(record.payload, record.items);
      if (!state.done.contains(record.position)) {
        state.events += record.items;
        state.bytes += batch ? batch->text.size() : 0;
      }
      if (!batch || batch->owed.bytes() == 0) continue;  // events that were made are of no file
      // Also of one that the sink is done with: it was not the next one of its file then.
      const auto known = cursors.find(batch->file_id);
      if (known == cursors.end() || known->second->offset != batch->owed.begin) continue;
      CursorRecord* cursor = known->second;
      moved.insert(cursor);
      cursor->offset = batch->owed.end;
      cursor->seam_bytes = batch->seam.size();
      cursor->seam_hash = XXH3_64bits(batch->seam.view().data(), batch->seam.size());
      cursor->delivered_bytes += batch->view.empty() ? batch->text.size() : batch->file_bytes;
      cursor->delivered_events += record.items;
    }
    if (chunk.at_end) break;
  }
  return moved;
}

}  // namespace

std::uint64_t DiskBufferConfig::segment_bytes() const {
  return std::clamp(max_bytes / kSegmentsMin, kSegmentBytesMin, kSegmentBytesMax);
}

struct DiskBuffer::Parts {
  Parts(DiskBufferConfig c, DiskBufferContext x)
      : config(c),
        context(std::move(x)),
        records(config, context),
        intake(context, records),
        writer(context, records) {}

  const DiskBufferConfig config;
  DiskBufferContext context;
  std::unique_ptr<SegmentLog> log;  // set by open()
  BufferedRecords records;
  BufferIntake intake;
  BufferWriter writer;
  std::shared_ptr<MetricRegistry::Collector> collector;  // goes first: it asks the others
};

DiskBuffer::DiskBuffer(DiskBufferConfig config, DiskBufferContext context)
    : parts_(std::make_unique<Parts>(config, std::move(context))) {}

DiskBuffer::~DiskBuffer() = default;

Agent& DiskBuffer::intake() { return parts_->intake; }
Agent& DiskBuffer::writer() { return parts_->writer; }

Result<void> DiskBuffer::open(CheckpointContent& stored) {
  Parts& parts = *parts_;
  const DiskBufferContext& context = parts.context;
  const std::string& sink = context.sink;
  std::optional<BufferState> known;
  for (const SinkStateRecord& record : stored.states) {
    if (record.sink != sink || !is_buffer_state(record.key)) continue;
    known = BufferState::decode(record.value);
    if (!known) context.log.error(sink, "where the buffer stands is not readable: all of it is delivered");
  }
  BufferState state;
  if (known) state = *known;
  const std::uint64_t position_min = std::max({state.reserved_to, state.durable_to, state.done.high()});
  auto log = SegmentLog::open(context.disk, context.directory, {parts.config.segment_bytes(), position_min},
                              state.durable_to);
  if (!log) return std::move(log).error();
  parts.log = std::move(*log);
  if (!known) state.done = DonePositions(parts.log->begin());

  CursorsByFile cursors;  // of this sink
  for (CursorRecord& cursor : stored.cursors) {
    if (cursor.sink == sink) cursors.emplace(cursor.file_id, &cursor);
  }
  SegmentReader reader(context.disk, context.directory, known ? state.durable_to : parts.log->begin());
  const auto moved = take_up(reader, parts.log->end(), state, cursors);
  if (!moved) return moved.error();
  state.durable_to = parts.log->end();
  if (const std::uint64_t lost = std::exchange(state.lost_events, 0); lost != 0) {
    context.log.error(sink, "{} events of the buffer were lost when it was repaired", lost);
    context.metrics.received_events.add(lost);
    context.metrics.discarded("buffer_damaged", lost);
  }
  CheckpointChanges changes;
  for (const CursorRecord* cursor : *moved) changes.cursors.push_back(*cursor);
  changes.states.push_back({sink, std::string(BufferState::kKey), state.encode()});
  // Where it cannot be stored now, it is with the next commit, and found again here until then.
  if (known || parts.log->segments() != 0) (void)context.commit_with(std::move(changes));

  parts.intake.start_at(state.done.low());
  parts.writer.start(*parts.log);
  parts.records.start(std::move(state), *parts.log);
  parts.collector = context.metrics.registry.collect([&parts](MetricPage& page) {
    const Labels labels{{"component", parts.context.sink}};
    const BufferedRecords::Pending pending = parts.records.pending();
    page.gauge("logflume_buffer_events", "Events in a sink's buffer that the sink is not done with.", labels,
               static_cast<double>(pending.events));
    page.gauge("logflume_buffer_bytes", "Their bytes.", labels, static_cast<double>(pending.bytes));
    page.gauge("logflume_buffer_max_bytes", "buffer.max_bytes of a disk buffer.", labels,
               static_cast<double>(parts.config.max_bytes));
    page.gauge("logflume_buffer_size_bytes", "Size of a sink's buffer on disk.", labels,
               static_cast<double>(parts.log->size_bytes()));
  });
  context.health.ok();
  return {};
}

void DiskBuffer::acknowledge(std::span<const Delivery> done, std::span<const SinkStateRecord> states) {
  if (done.empty() && states.empty()) return;
  note_acknowledged(parts_->context.journal.get(), done);
  const bool wakes_writer = parts_->records.acknowledge(done, states);
  parts_->context.intake_thread.wake();
  if (wakes_writer) parts_->context.writer_thread.wake();
}

void DiskBuffer::discard(Cursor& /*cursor*/, Discard discard) { parts_->records.discard(std::move(discard)); }

void DiskBuffer::drain() {
  parts_->records.drain();
  parts_->context.intake_thread.wake();
  parts_->context.writer_thread.wake();
}

bool DiskBuffer::empty() const { return parts_->records.empty(); }

std::uint64_t DiskBuffer::in_sinks_hands() const { return parts_->records.lent(); }

std::string buffer_directory(const std::string& data_dir, const std::string& sink) {
  std::string name = percent_encode(sink, "-_.");
  if (name.starts_with('.')) name.replace(0, 1, "%2E");
  return data_dir + "/buffers/" + name;
}

}  // namespace logflume
