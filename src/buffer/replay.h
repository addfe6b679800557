// Turns what a buffer has on disk into batches again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "disk/segment_reader.h"
#include "event/batch.h"

namespace logflume {

// Threads: one; the log may be written meanwhile.
class Replay {
 public:
  struct Found {
    std::vector<BatchRef> batches;  // what they owe is their place in the log
    std::vector<LogDamage> damages;
    std::vector<LogGap> gaps;
    bool at_end = false;
    bool no_memory = false;  // nothing was read: try again when memory was given back
  };

  Replay(Disk& disk, std::string directory, SlabPool& slabs)
      : reader_(disk, std::move(directory), 0), slabs_(slabs) {}

  void seek(std::uint64_t position) { reader_.seek(position); }
  std::uint64_t position() const { return reader_.position(); }
  // Reads on, as much as fits into a slab, up to position `limit`. The batches view the slab.
  Result<void> read(std::uint64_t limit, TimePoint now, Found& found);

 private:
  SlabRef memory();
  BatchRef make(const LogRecord& record, const SlabRef& slab, TimePoint now, std::int64_t now_wall_ns);
  std::shared_ptr<const Origin> origin_of(std::string_view source, std::string_view path,
                                          std::uint64_t file_id);

  SegmentReader reader_;
  SlabPool& slabs_;
  LogChunk chunk_;
  std::size_t memory_bytes_ = SlabPool::kSlabBytes;  // to be asked for
  // Larger ones than usual, to be used again once no batch views them: a record of a whole slab of text is
  // one.
  std::vector<SlabRef> large_;
  std::unordered_map<std::uint64_t, std::shared_ptr<const Origin>> origins_;  // the latest, by file
};

}  // namespace logflume
