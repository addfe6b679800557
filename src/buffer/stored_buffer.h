// The buffers of a data_dir as they are on disk, for who looks at them from outside. Nothing is written, and
// an agent may be running.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "buffer/buffer_state.h"
#include "buffer/buffered_batch.h"
#include "checkpoint/checkpoint_store.h"
#include "disk/disk.h"
#include "disk/segment_reader.h"

namespace logflume {

struct StoredBuffer {
  std::string sink;
  std::string directory;             // perhaps not there
  std::optional<BufferState> state;  // nullopt: none is stored, or it is not readable: all is pending

  bool is_pending(std::uint64_t position) const { return !state || !state->done.contains(position); }
};

// Those that have a directory or a state in `stored`, by name. Errors: those of Disk.
Result<std::vector<StoredBuffer>> find_buffers(const std::string& data_dir, const CheckpointContent& stored);

struct BufferVisitor {
  // False: go no further.
  std::function<bool(const LogRecord&, const BufferedBatch&)> on_batch;
  std::function<void(const LogDamage&)> on_damage;
};

// Shows all that the log holds, in order, every checksum checked. A record that is whole and no batch is
// damage. Behind what was synced an unreadable end is none: it may be being written, and is cut at the next
// start. Errors: those of SegmentReader.
Result<void> scan(Disk& disk, const StoredBuffer& buffer, const BufferVisitor& visitor);

}  // namespace logflume
