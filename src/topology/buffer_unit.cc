#include "topology/buffer_unit.h"

#include <filesystem>
#include <set>
#include <system_error>

#include "disk/segments.h"

namespace logflume {
namespace {

std::string thread_name(std::string_view kind, const std::string& sink) {
  return (std::string(kind) + ":" + sink).substr(0, 15);
}

}  // namespace

std::unique_ptr<BufferUnit> BufferUnit::make(const std::string& sink, const std::string& formerly,
                                             const BufferConfig& config, std::uint64_t memory_bytes,
                                             SinkLedger& ledger, Inbox& inbox, ComponentMetrics& metrics,
                                             EventLoop& sink_loop, Shared& shared) {
  const std::string directory = buffer_directory(shared.data_dir, sink);
  if (!formerly.empty() && !posix_disk().status(directory)) {
    const std::string before = buffer_directory(shared.data_dir, formerly);
    if (posix_disk().status(before)) (void)posix_disk().rename(before, directory);
  }
  DiskBufferConfig buffer;
  buffer.memory_bytes = memory_bytes;
  if (config.on_disk()) {
    buffer.max_bytes = config.bytes();
    buffer.when_full = config.when_full;
    buffer.overflow = config.overflow.has_value();
  } else {
    const auto left = list_segments(posix_disk(), directory);
    if (!left) throw std::system_error(left.error().os_errno, std::generic_category(), directory);
    if (left->empty()) return nullptr;
    buffer.drain_only = true;
    shared.services.log.info(sink, "delivering first what its disk buffer holds");
  }
  return std::unique_ptr<BufferUnit>(new BufferUnit(sink, buffer, ledger, inbox, metrics, sink_loop, shared));
}

BufferUnit::BufferUnit(const std::string& sink, DiskBufferConfig config, SinkLedger& ledger, Inbox& inbox,
                       ComponentMetrics& metrics, EventLoop& sink_loop, Shared& shared)
    : health_(shared.services.health, sink + ".buffer", "buffer", "disk"),
      intake_loop_(thread_name("buf", sink)),
      writer_loop_(thread_name("log", sink)),
      buffer_(config, {sink, buffer_directory(shared.data_dir, sink), posix_disk(), ledger, inbox, out_,
                       intake_loop_.parker(), writer_loop_.parker(), sink_loop.parker(), shared.slabs,
                       metrics, health_, shared.services.log,
                       [&checkpointer = shared.services.checkpointer] { return checkpointer.commit_now(); },
                       [&checkpointer = shared.services.checkpointer](CheckpointChanges changes) {
                         return checkpointer.commit_now(std::move(changes));
                       },
                       shared.services.journal == nullptr
                           ? nullptr
                           : shared.services.journal->feed(BatchStage::kAcknowledged, sink)}) {
  intake_loop_.add(buffer_.intake());
  writer_loop_.add(buffer_.writer());
}

void BufferUnit::start() {
  intake_loop_.start();
  writer_loop_.start();
}

void BufferUnit::stop() {
  intake_loop_.stop();
  writer_loop_.stop();
}

void warn_of_orphaned_buffers(const Config& config, Shared& shared) {
  std::set<std::string> known;
  for (const auto& [name, sink] : config.sinks) known.insert(buffer_directory(shared.data_dir, name));
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(shared.data_dir + "/buffers", failed)) {
    if (known.contains(entry.path().string())) continue;
    const auto segments = list_segments(posix_disk(), entry.path().string());
    if (!segments || segments->empty()) continue;
    std::uint64_t bytes = 0;
    for (const Segment& segment : *segments) bytes += segment.file_bytes;
    shared.services.log.warn("topology",
                             "{}: a buffer of {} bytes belongs to no sink of the configuration; it is "
                             "delivered when a sink \"{}\" "
                             "is back, and logflume buffer cat shows what it holds",
                             entry.path().string(), bytes, entry.path().filename().string());
  }
}

}  // namespace logflume
