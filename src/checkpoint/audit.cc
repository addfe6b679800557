#include "checkpoint/audit.h"

#include <fmt/format.h>

#include <algorithm>

namespace logflume {
namespace {

FileRange clipped(FileRange range, std::uint64_t from, std::uint64_t to) {
  return {std::clamp(range.begin, from, to), std::clamp(range.end, from, to)};
}

void add(AuditPart& part, FileRange range, std::uint64_t bytes, std::uint64_t events) {
  part.bytes += bytes;
  part.events += events;
  part.ranges.push_back(range);
}

// Adds up one sink. Rows are those of the sink and those of all sinks, in the order of their places.
class Adding {
 public:
  Adding(const CursorRecord& cursor, std::uint64_t fed, std::uint64_t size)
      : cursor_(cursor), fed_(std::max(fed, cursor.offset)), size_(size) {
    audit_.sink = cursor.sink;
    audit_.acknowledged = cursor.offset;
  }

  // `later`: those of what counts as delivered in the cursor.
  SinkAudit run(const std::vector<RangeRecord>& rows, const std::vector<RangeRecord>& later) {
    add_before(rows);
    add_done(rows);
    add_ahead(rows);
    for (const RangeRecord& row : later) add_later(row);
    return std::move(audit_);
  }

 private:
  void fault(AuditFault::Kind kind, FileRange range, std::uint64_t bytes) {
    audit_.faults.push_back({kind, range, bytes});
  }
  AuditPart& part_of(const RangeRecord& row) { return audit_.exceptions[{row.kind, row.reason}]; }

  // Before the sink came in, something must say why it did not get the bytes.
  void add_before(const std::vector<RangeRecord>& rows) {
    std::uint64_t covered = 0;
    for (const RangeRecord& row : rows) {
      const FileRange range = clipped({row.begin, row.end}, covered, cursor_.begin);
      if (range.bytes() == 0) continue;
      if (range.begin > covered) fault(AuditFault::Kind::kGap, {covered, range.begin}, range.begin - covered);
      add(part_of(row), range, range.bytes(), row.begin >= range.begin ? row.events : 0);
      covered = range.end;
    }
    if (covered < cursor_.begin)
      fault(AuditFault::Kind::kGap, {covered, cursor_.begin}, cursor_.begin - covered);
  }

  // Up to what is acknowledged all is delivered but for the rows: two counts that must agree.
  void add_done(const std::vector<RangeRecord>& rows) {
    const FileRange done{std::min(cursor_.begin, cursor_.offset), cursor_.offset};
    std::uint64_t accounted = cursor_.delivered_bytes;
    std::uint64_t covered = done.begin;  // by rows
    std::uint64_t delivered_from = done.begin;
    for (const RangeRecord& row : rows) {
      const FileRange range = clipped({row.begin, row.end}, done.begin, done.end);
      if (range.bytes() == 0) continue;
      const bool joined = row.bytes < row.end - row.begin;  // with what was delivered in between
      if (!joined && range.begin < covered) {
        const FileRange twice{range.begin, std::min(range.end, covered)};
        fault(AuditFault::Kind::kOverlap, twice, twice.bytes());
      }
      const std::uint64_t bytes = joined ? std::min(row.bytes, range.bytes()) : range.bytes();
      add(part_of(row), range, bytes, row.events);
      accounted += bytes;
      if (range.begin > delivered_from) audit_.delivered.ranges.push_back({delivered_from, range.begin});
      delivered_from = std::max(delivered_from, range.end);
      if (!joined) covered = std::max(covered, range.end);
    }
    if (delivered_from < done.end) audit_.delivered.ranges.push_back({delivered_from, done.end});
    audit_.delivered.bytes = cursor_.delivered_bytes;
    audit_.delivered.events = cursor_.delivered_events;
    // An overlap of rows is told already, and counted twice in `accounted`.
    if (!audit_.faults.empty()) return;
    if (accounted < done.bytes()) fault(AuditFault::Kind::kGap, done, done.bytes() - accounted);
    if (accounted > done.bytes()) fault(AuditFault::Kind::kOverlap, done, accounted - done.bytes());
  }

  void add_later(const RangeRecord& row) {
    const FileRange range =
        clipped({row.begin, row.end}, std::min(cursor_.begin, cursor_.offset), cursor_.offset);
    const bool joined = row.bytes < row.end - row.begin;
    const std::uint64_t bytes = std::min({row.bytes, range.bytes(), audit_.delivered.bytes});
    if (bytes == 0) return;
    AuditPart& delivered = audit_.delivered;
    add(audit_.exceptions[{RangeKind::kDiscarded, row.reason}], range, bytes, row.events);
    delivered.bytes -= bytes;
    delivered.events -= std::min(row.events, delivered.events);
    if (joined) return;
    std::vector<FileRange> left;
    for (const FileRange& part : delivered.ranges) {
      if (part.begin < std::min(part.end, range.begin))
        left.push_back({part.begin, std::min(part.end, range.begin)});
      if (std::max(part.begin, range.end) < part.end)
        left.push_back({std::max(part.begin, range.end), part.end});
    }
    delivered.ranges = std::move(left);
  }

  // Ahead of it there is only what nobody will read: lost, or the rest of a line that was cut off.
  void add_ahead(const std::vector<RangeRecord>& rows) {
    std::uint64_t from = cursor_.offset;
    for (const RangeRecord& row : rows) {
      const FileRange range = clipped({row.begin, row.end}, cursor_.offset, size_);
      if (range.bytes() == 0) continue;
      const bool of_all = row.sink.empty();
      if (row.kind == RangeKind::kSkipped && of_all) continue;  // not come to yet
      if (row.kind != RangeKind::kLost && !of_all) {
        fault(AuditFault::Kind::kOverlap, range, range.bytes());
        continue;
      }
      if (range.begin < std::max(from, fed_)) {
        const FileRange twice{range.begin, std::min(range.end, std::max(from, fed_))};
        fault(AuditFault::Kind::kOverlap, twice, twice.bytes());
      }
      if (range.end <= from) continue;
      add_open(from, std::max(from, range.begin));
      const FileRange rest{std::max(from, range.begin), range.end};
      add(part_of(row), rest, rest.bytes(), row.events);
      from = range.end;
    }
    add_open(from, size_);
  }

  void add_open(std::uint64_t from, std::uint64_t to) {
    const std::uint64_t fed = std::clamp(fed_, from, to);
    if (fed > from) add(audit_.pending, {from, fed}, fed - from, 0);
    if (to > fed) add(audit_.unread, {fed, to}, to - fed, 0);
  }

  const CursorRecord& cursor_;
  const std::uint64_t fed_;
  const std::uint64_t size_;
  SinkAudit audit_;
};

}  // namespace

std::string text_of(const AuditFault& fault) {
  std::string text = fmt::format("{} [{}, {})", fault.kind == AuditFault::Kind::kGap ? "gap" : "overlap",
                                 fault.range.begin, fault.range.end);
  if (fault.bytes != fault.range.bytes()) text += fmt::format(": {} bytes somewhere in it", fault.bytes);
  return text;
}

bool FileAudit::balanced() const {
  return std::all_of(sinks.begin(), sinks.end(), [](const SinkAudit& sink) { return sink.faults.empty(); });
}

FileAudit audit_file(std::uint64_t size_bytes, const std::vector<CursorRecord>& cursors,
                     const std::vector<RangeRecord>& ranges, const std::vector<InFlight>& in_flight) {
  FileAudit audit;
  audit.size_bytes = size_bytes;
  const auto reach = [&](std::uint64_t end) { audit.size_bytes = std::max(audit.size_bytes, end); };
  for (const CursorRecord& cursor : cursors) reach(cursor.offset);
  for (const RangeRecord& range : ranges) {
    if (range.kind != RangeKind::kDiscardedLater) reach(range.end);
  }
  for (const InFlight& flight : in_flight) reach(std::max(flight.fed, flight.size_bytes));

  for (const CursorRecord& cursor : cursors) {
    std::vector<RangeRecord> rows;
    std::vector<RangeRecord> later;
    for (const RangeRecord& range : ranges) {
      if (!range.sink.empty() && range.sink != cursor.sink) continue;
      (range.kind == RangeKind::kDiscardedLater ? later : rows).push_back(range);
    }
    std::sort(rows.begin(), rows.end(), [](const RangeRecord& a, const RangeRecord& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::uint64_t fed = cursor.offset;
    for (const InFlight& flight : in_flight) {
      if (flight.sink == cursor.sink) fed = std::max(fed, flight.fed);
    }
    audit.sinks.push_back(Adding(cursor, fed, audit.size_bytes).run(rows, later));
  }
  std::sort(audit.sinks.begin(), audit.sinks.end(),
            [](const SinkAudit& a, const SinkAudit& b) { return a.sink < b.sink; });
  return audit;
}

}  // namespace logflume
