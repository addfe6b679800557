// The side of a buffer that is on disk: group commit, and space given back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "buffer/buffered_records.h"
#include "buffer/disk_buffer.h"
#include "disk/segment_log.h"
#include "io/event_loop.h"

namespace logflume {

// A write that fails is tried again each second, in a new segment; until then the records stay in memory.
class BufferWriter final : public Agent {
 public:
  BufferWriter(DiskBufferContext& context, BufferedRecords& records);

  // `log` outlives it. REQUIRES: before the threads start.
  void start(SegmentLog& log) { log_ = &log; }

  std::size_t do_work(TimePoint now) override;
  bool has_input() const override;
  TimePoint deadline() const override;

 private:
  bool reclaim(TimePoint now);
  bool commit_group(TimePoint now);
  Result<void> write(const BufferedRecords::Group& group);
  void failed(const Error& error, TimePoint now);
  void recovered();
  void has_recovered_if_nothing_waits();

  DiskBufferContext& context_;
  BufferedRecords& records_;
  SegmentLog* log_ = nullptr;
  Counter& written_bytes_;
  Histogram& sync_seconds_;
  TimePoint retry_at_{};
  TimePoint next_group_{};
  std::uint64_t reserved_to_ = 0;  // positions before it may be written
  bool restart_ = false;           // the log takes nothing more where it ends
  std::vector<std::string> heads_;
  std::vector<iovec> pieces_;
  std::vector<SegmentLog::Record> to_append_;
};

}  // namespace logflume
