// The side of a buffer that sources fill, and its agent, which serves the sink's side too.
#pragma once

#include "buffer/buffer_outlet.h"
#include "buffer/buffered_records.h"
#include "buffer/disk_buffer.h"
#include "io/event_loop.h"

namespace logflume {

class BufferIntake final : public Agent {
 public:
  BufferIntake(DiskBufferContext& context, BufferedRecords& records)
      : context_(context), records_(records), outlet_(context, records) {}

  // The sink gets first what is at `position`. REQUIRES: before the threads start.
  void start_at(std::uint64_t position) { outlet_.start_at(position); }

  std::size_t do_work(TimePoint now) override;
  bool has_input() const override;
  TimePoint deadline() const override { return outlet_.deadline(); }

 private:
  std::size_t take_in();
  void drop(const Delivery& delivery);

  DiskBufferContext& context_;
  BufferedRecords& records_;
  BufferOutlet outlet_;
};

}  // namespace logflume
