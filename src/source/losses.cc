#include "source/losses.h"

#include <fmt/format.h>

namespace logflume {

void Losses::suspect(Loss loss, TimePoint now) {
  if (loss.range.end > loss.range.begin) pending_.push_back({std::move(loss), now + kGrace});
}

void Losses::found(std::uint64_t file_id) {
  records_.found(file_id);
  std::erase_if(pending_, [&](const Pending& pending) { return pending.loss.file_id == file_id; });
}

void Losses::settle(TimePoint now, bool all) {
  std::erase_if(pending_, [&](const Pending& pending) {
    if (!all && now < pending.due) return false;
    certain(pending.loss);
    return true;
  });
}

void Losses::certain(const Loss& loss) {
  if (loss.range.end <= loss.range.begin) return;
  if (loss.partial_bytes > 0) {  // received, for once, as something that is no event: so the books balance
    context_.metrics.received_events.add();
    context_.metrics.received_bytes.add(loss.partial_bytes);
    context_.metrics.discarded("truncated_partial_line", 1);
    metrics_.lost_bytes("truncated_partial_line", loss.partial_bytes);
    records_.put_range({loss.file_id,
                        {},
                        loss.range.end - loss.partial_bytes,
                        loss.range.end,
                        RangeKind::kDiscarded,
                        "truncated_partial_line",
                        loss.partial_bytes,
                        1,
                        wall_now_ns()});
  }
  note(loss.file_id, loss.unread, loss.range.end - loss.partial_bytes, loss.reason);
  const std::uint64_t whole_lines = loss.range.bytes() - loss.partial_bytes;
  if (whole_lines == 0) return;
  metrics_.lost_bytes(loss.reason, whole_lines);
  context_.log.limited(
      LogLevel::kWarn, context_.name, "lost",
      fmt::format("{} was {} before it was read: bytes {} to {} are lost, as no copy of them "
                  "was found",
                  loss.path, loss.reason, loss.range.begin, loss.range.end));
}

void Losses::note(std::uint64_t file_id, const std::vector<Unread>& unread, std::uint64_t end,
                  std::string_view reason) {
  for (const Unread& sink : unread) {
    if (sink.begin >= end) continue;
    records_.put_range({file_id, sink.sink, sink.begin, end, RangeKind::kLost, std::string(reason),
                        end - sink.begin, 0, wall_now_ns()});
  }
}

}  // namespace logflume
