#include "buffer/buffer_writer.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "buffer/buffered_batch.h"

namespace logflume {
namespace {

// A group commit waits for more at most so long after the last one.
constexpr Duration kGroupInterval = 10ms;
constexpr Duration kRetry = 1s;  // after an error

std::string_view reason_of(const Error& error) {
  return error.os_errno == ENOSPC || error.os_errno == EDQUOT ? "no_space" : "io";
}

}  // namespace

BufferWriter::BufferWriter(DiskBufferContext& context, BufferedRecords& records)
    : context_(context),
      records_(records),
      written_bytes_(context.metrics.registry.counter("logflume_buffer_written_bytes_total",
                                                      "Bytes made durable in a sink's disk buffer.",
                                                      {{"component", context.sink}})),
      sync_seconds_(context.metrics.registry.histogram(
          "logflume_buffer_sync_seconds", "Time that a group commit of a disk buffer took.",
          {0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10}, {{"component", context.sink}})) {}

std::size_t BufferWriter::do_work(TimePoint now) {
  if (now < retry_at_) return 0;
  if (std::exchange(retry_at_, TimePoint{}) != TimePoint{}) has_recovered_if_nothing_waits();
  const bool reclaimed = reclaim(now);
  const bool wrote = retry_at_ == TimePoint{} && commit_group(now);
  return (reclaimed ? 1 : 0) + (wrote ? 1 : 0);
}

bool BufferWriter::has_input() const {
  // What waits for its time is seen to by the deadline.
  return retry_at_ == TimePoint{} && (records_.reclaimable_to() || records_.has_large_group());
}

TimePoint BufferWriter::deadline() const {
  if (retry_at_ != TimePoint{}) return retry_at_;
  return records_.has_group() ? next_group_ : kNever;
}

bool BufferWriter::commit_group(TimePoint now) {
  const auto group = records_.take_group(now >= next_group_);
  if (!group) return false;
  if (group->deliveries.empty()) {
    context_.intake_thread.wake();  // by `when_full`
    return false;
  }
  const TimePoint begun = steady_now();
  auto written = write(*group);
  // Also what was durable before it failed.
  records_.settle(log_->synced_end());
  context_.intake_thread.wake();
  if (!written) {
    failed(written.error(), now);
    return true;
  }
  sync_seconds_.observe(std::chrono::duration<double>(steady_now() - begun).count());
  written_bytes_.add(group->bytes);
  next_group_ = now + kGroupInterval;
  recovered();
  return true;
}

Result<void> BufferWriter::write(const BufferedRecords::Group& group) {
  // end() may be behind what an attempt that failed has left.
  const bool gap = group.position != log_->synced_end();
  // What is on disk must mean something after a crash: its files are known to the store, what is missing
  // before it because the sink has it already is known to be done, and its positions are not given out again.
  const bool unknown = std::any_of(group.deliveries.begin(), group.deliveries.end(),
                                   [](const Delivery& delivery) { return !delivery.cursor->file_stored; });
  const std::uint64_t end = group.position + group.bytes;
  if (gap || unknown || end > reserved_to_) {
    const std::uint64_t reserved_to = end > reserved_to_ ? records_.reserve(end) : reserved_to_;
    if (auto committed = context_.commit_now(); !committed) return committed;
    reserved_to_ = reserved_to;
    for (const Delivery& delivery : group.deliveries) delivery.cursor->file_stored = true;
  }
  if (gap || restart_) log_->restart_at(group.position);
  restart_ = true;  // until all of it is durable

  heads_.resize(std::max(heads_.size(), group.deliveries.size()));
  pieces_.clear();
  pieces_.reserve(3 * group.deliveries.size());  // to_append_ refers to them
  to_append_.clear();
  for (std::size_t i = 0; i < group.deliveries.size(); ++i) {
    const std::size_t begin = pieces_.size();
    encode(*group.deliveries[i].batch, heads_[i], pieces_);
    to_append_.push_back(
        {group.deliveries[i].batch->events, {pieces_.data() + begin, pieces_.size() - begin}});
  }
  if (auto appended = log_->append(to_append_); !appended) return appended;
  if (auto synced = log_->sync(); !synced) return synced;
  restart_ = false;
  return {};
}

// What the sink is done with goes, as soon as a crash cannot bring it back.
bool BufferWriter::reclaim(TimePoint now) {
  const auto to = records_.reclaimable_to();
  if (!to) return false;
  auto reclaimed = context_.commit_now();
  if (reclaimed) reclaimed = log_->drop_before(*to);
  if (!reclaimed) {
    failed(reclaimed.error(), now);
    return false;
  }
  records_.reclaimed();
  return true;
}

void BufferWriter::failed(const Error& error, TimePoint now) {
  retry_at_ = now + kRetry;
  context_.metrics.registry
      .counter("logflume_buffer_errors_total", "Errors of a sink's disk buffer, by reason.",
               {{"component", context_.sink}, {"reason", std::string(reason_of(error))}})
      .add();
  const std::string message = "cannot write the buffer: " + error.text() +
                              "; events wait in memory, and their sources keep them, until it works again";
  context_.health.degraded(message);
  context_.log.limited(LogLevel::kError, context_.sink, "buffer", message);
  records_.set_failing(true);
}

void BufferWriter::recovered() {
  if (!records_.set_failing(false)) return;
  context_.health.ok();
  context_.log.info(context_.sink, "the buffer works again");
}

// The next write tells.
void BufferWriter::has_recovered_if_nothing_waits() {
  if (!records_.has_group() && !records_.reclaimable_to()) recovered();
}

}  // namespace logflume
