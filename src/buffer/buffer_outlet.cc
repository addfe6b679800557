#include "buffer/buffer_outlet.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "buffer/buffered_batch.h"
#include "disk/segment_log.h"

namespace logflume {
namespace {

constexpr std::size_t kHandedAtOnce = 256;
constexpr std::size_t kCursorsMax = 4096;
constexpr Duration kRetry = 1s;         // after an error
constexpr Duration kRetryMemory = 2ms;  // for what nobody wakes us

// Ranges of files that go together; neighbours become one.
struct GivenUp {
  GivenUp(std::string of_sink, std::string why) : sink(std::move(of_sink)), reason(std::move(why)) {}
  void add(std::uint64_t file_id, FileRange range, std::uint64_t events) {
    if (file_id == Origin::kNoFile) return;
    const auto [known, inserted] = last.try_emplace(file_id, ranges.size());
    if (!inserted && ranges[known->second].end == range.begin) {
      RangeRecord& grown = ranges[known->second];
      grown.end = range.end;
      grown.bytes += range.bytes();
      grown.events += events;
      return;
    }
    known->second = ranges.size();
    ranges.push_back({file_id, sink, range.begin, range.end, RangeKind::kDiscardedLater, reason,
                      range.bytes(), events, now_ns});
  }

  const std::string sink;
  const std::string reason;
  const std::int64_t now_ns = wall_now_ns();
  std::vector<RangeRecord> ranges;
  std::unordered_map<std::uint64_t, std::size_t> last;  // by file
};

}  // namespace

BufferOutlet::BufferOutlet(DiskBufferContext& context, BufferedRecords& records)
    : context_(context),
      records_(records),
      lanes_(context.out.open("buffer")),
      replay_(context.disk, context.directory, context.slabs),
      damaged_records_(context.metrics.registry.counter("logflume_buffer_damaged_records_total",
                                                        "Places in a sink's disk buffer that could not be "
                                                        "read: passed by, and kept aside if they are there.",
                                                        {{"component", context.sink}})),
      damaged_bytes_(context.metrics.registry.counter("logflume_buffer_damaged_bytes_total",
                                                      "Bytes at such places, headers included.",
                                                      {{"component", context.sink}})) {}

bool BufferOutlet::has_work() const {
  return (retry_at_ == kNever && lanes_.has_room(false) && records_.wants(next_)) || records_.to_give_up();
}

std::size_t BufferOutlet::hand_on(TimePoint now) {
  retry_at_ = kNever;
  std::size_t count = 0;
  while (count < kHandedAtOnce && lanes_.has_room(false)) {
    const bool more = replayed_.empty() ? hand_from_window() || read_on(now) : hand_replayed();
    if (!more) break;
    ++count;
  }
  if (count != 0) context_.sink_thread.wake();
  if (!lanes_.has_room(false)) retry_at_ = std::min(retry_at_, now + kRetryMemory);
  return count;
}

bool BufferOutlet::hand_from_window() {
  auto batch = records_.lend(next_);
  if (!batch) return false;
  replaying_ = false;
  if (*batch) hand(std::move(*batch));
  return true;
}

bool BufferOutlet::hand_replayed() {
  if (!records_.lend_read(replayed_.front()->bytes)) return false;
  next_ = replayed_.front()->owed.end;
  hand(std::move(replayed_.front()));
  replayed_.pop_front();
  if (replayed_.empty()) next_ = replay_.position();
  return true;
}

void BufferOutlet::hand(BatchRef batch) {
  CursorRef cursor = cursor_of(batch->origin->file_id);
  lanes_.push({std::move(batch), std::move(cursor)}, false);
}

CursorRef BufferOutlet::cursor_of(std::uint64_t file_id) {
  if (cursors_.size() >= kCursorsMax) {
    std::erase_if(cursors_, [](const auto& known) { return known.second->use_count() == 1; });
  }
  CursorRef& cursor = cursors_[file_id];
  if (!cursor) cursor = CursorRef(new Cursor(context_.ledger, file_id, 0, Seam{}));
  return cursor;
}

// Reads what is no longer in memory. True when something came of it.
bool BufferOutlet::read_on(TimePoint now) {
  const auto unread = records_.unread(next_);
  if (!unread) return false;
  if (next_ >= unread->log_end) {
    // What is between was done with before it was written.
    mark_done(next_, unread->window_begin);
    next_ = unread->window_begin;
    replaying_ = false;
    return true;
  }
  if (!std::exchange(replaying_, true)) replay_.seek(next_);
  Replay::Found found;
  if (auto read = replay_.read(unread->log_end, now, found); !read) {
    read_failed(read.error(), now);
    return false;
  }
  if (std::exchange(read_failed_, false)) context_.health.ok();
  if (found.no_memory) {
    retry_at_ = std::min(retry_at_, now + kRetryMemory);
    return false;
  }
  for (const LogDamage& damage : found.damages) take_damage(damage);
  for (const LogGap& gap : found.gaps) take_gap(gap);
  for (BatchRef& batch : found.batches) {
    if (!records_.is_done(batch->owed.begin)) replayed_.push_back(std::move(batch));
  }
  if (found.at_end) replaying_ = false;
  if (replayed_.empty()) next_ = replay_.position();
  return true;
}

void BufferOutlet::read_failed(const Error& error, TimePoint now) {
  context_.metrics.registry
      .counter("logflume_buffer_errors_total", "Errors of a sink's disk buffer, by reason.",
               {{"component", context_.sink}, {"reason", "read"}})
      .add();
  context_.health.degraded("cannot read the buffer: " + error.text());
  context_.log.limited(
      LogLevel::kError, context_.sink, "buffer read",
      "cannot read the buffer: " + error.text() + "; trying again, nothing behind it is delivered before");
  replaying_ = false;
  read_failed_ = true;
  retry_at_ = std::min(retry_at_, now + kRetry);
}

void BufferOutlet::take_damage(const LogDamage& damage) {
  // Nobody waits for it; or it is a write that failed, and what a power failure has made of it.
  if (records_.is_done(damage.begin) && records_.missing(damage.begin, damage.end).empty()) return;
  damaged_records_.add();
  damaged_bytes_.add(damage.end - damage.begin);
  const std::uint64_t events = damage.items.value_or(0);
  const auto kept = keep_aside(context_.disk, context_.directory, damage);
  context_.log.error(
      context_.sink, "the buffer is damaged at {} to {}: {} lost{}", damage.begin, damage.end,
      damage.items ? fmt::format("{} events are", events) : "an unknown number of events is",
      kept && *kept ? fmt::format(", the bytes are kept in {}/damaged", context_.directory) : "");
  records_.lose(events, damage.end - damage.begin);
  mark_done(damage.begin, damage.end);
}

// What was passed over when the log was written is done. Anything else was there once.
void BufferOutlet::take_gap(const LogGap& gap) {
  for (const auto& [begin, end] : records_.missing(gap.begin, gap.end)) {
    damaged_records_.add();
    damaged_bytes_.add(end - begin);
    context_.log.error(
        context_.sink,
        "the buffer has lost {} to {}: {} bytes that were durable are gone. How many events they "
        "were is known when all others are delivered",
        begin, end, end - begin);
  }
  mark_done(gap.begin, gap.end);
}

void BufferOutlet::mark_done(std::uint64_t begin, std::uint64_t end, std::vector<RangeRecord> given_up) {
  if (begin < end && records_.mark_done(begin, end, std::move(given_up))) context_.writer_thread.wake();
}

bool BufferOutlet::give_up_oldest() {
  const auto end = records_.to_give_up();
  if (!end) return false;
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;
  GivenUp given_up(context_.sink, "buffer_full");
  if (next_ < *end) {
    // Count what goes. What of it cannot be read, cannot be counted.
    SegmentReader reader(context_.disk, context_.directory, next_);
    std::string memory(SlabPool::kSlabBytes, '\0');
    LogChunk chunk;
    while (reader.position() < *end && reader.read(memory, chunk, *end) && !chunk.at_end) {
      if (chunk.bytes_wanted != 0) memory.resize(chunk.bytes_wanted);
      for (const LogRecord& record : chunk.records) {
        if (records_.is_done(record.position)) continue;
        const auto batch = BufferedBatch::decode(record.payload, record.items);
        events += record.items;
        if (!batch) continue;
        bytes += batch->text.size();
        given_up.add(batch->file_id, batch->text_range(), record.items);
      }
    }
  }
  context_.metrics.received_events.add(events);
  context_.metrics.received_bytes.add(bytes);
  context_.metrics.discarded("buffer_full", events);
  context_.log.limited(LogLevel::kWarn, context_.sink, "buffer full",
                       fmt::format("the buffer is full: its oldest {} events are given up", events));
  records_.give_up(*end, events, bytes);
  if (next_ < *end) {
    replayed_.clear();
    replaying_ = false;
    mark_done(next_, *end, std::move(given_up.ranges));
    next_ = *end;
  }
  context_.writer_thread.wake();
  return true;
}

}  // namespace logflume
