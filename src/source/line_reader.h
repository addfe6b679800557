// From a file's bytes to pieces of whole lines, in a slab.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "event/batch.h"
#include "event/slab.h"
#include "io/block_reader.h"
#include "source/tailed_file.h"

namespace logflume {

// Some whole events of a file.
struct Piece {
  SlabRef slab;
  const char* data = nullptr;
  std::size_t bytes = 0;
  std::uint32_t events = 0;
  bool unterminated = false;
  bool truncated = false;
  FileRange owed;
  Seam seam;
};

// What one look at a file found behind the pieces.
enum class ReadStatus {
  kMore,       // there is more to read
  kEnd,        // read to its end; `partial_bytes` behind the last newline stay there
  kTruncated,  // the bytes before the position are no longer those that were read
  kNoMemory,   // the memory limit is used up; nothing was read
  kError,
};

struct ReadRequest {
  std::uint64_t position = 0;
  Seam seam;                                     // the bytes before `position`
  std::uint64_t limit = UINT64_MAX;              // do not pass it: another sink's cursor, an event's end
  std::size_t bytes_max = SlabPool::kSlabBytes;  // about how much to read
  bool flush_partial = false;                    // at the end, what has no newline is an event
};

struct ReadReport {
  ReadStatus status = ReadStatus::kEnd;
  std::uint64_t bytes_read = 0;
  std::uint64_t partial_bytes = 0;
  std::uint64_t nuls_skipped = 0;
  std::optional<Error> error;
};

// Receives pieces in file order. False: no room for another one; the piece was taken all the same.
class PieceSink {
 public:
  virtual ~PieceSink() = default;
  virtual bool take(Piece&& piece) = 0;
};

// Threads: one. The unfinished line at the end of a read is read again with what follows it: that costs some
// hundred bytes a slab and saves every copy and every carry-over state.
class LineReader {
 public:
  LineReader(BlockReader& blocks, SlabPool& slabs, std::size_t max_line_bytes)
      : blocks_(blocks), slabs_(slabs), max_line_bytes_(max_line_bytes) {}

  // REQUIRES: file.fd is open.
  ReadReport read(TailedFile& file, const ReadRequest& request, PieceSink& out);

  // Lets go of the slab that short reads share.
  void release() { shared_ = {}; }

 private:
  struct Room {
    SlabRef slab;
    char* data = nullptr;
    std::size_t bytes = 0;
  };
  // Where the text of a request really begins: behind leading NUL bytes that are skipped.
  struct Start {
    std::uint64_t position = 0;
    Seam seam;
    bool skipping_nuls = false;
  };
  bool find_room(bool behind, Room& room);
  BlockReader& blocks_of(const TailedFile& file) const;
  static Start start_of(const TailedFile& file, const ReadRequest& request);
  ReadReport read_long_line(TailedFile& file, const ReadRequest& request, PieceSink& out);
  ReadReport emit_long_line(TailedFile& file, const ReadRequest& request, std::uint64_t end, bool terminated,
                            PieceSink& out);
  bool cut(const Room& room, const ReadRequest& request, const Start& start, std::string_view text,
           bool last_unterminated, PieceSink& out) const;

  BlockReader& blocks_;
  SlabPool& slabs_;
  const std::size_t max_line_bytes_;
  // Short reads of live files share a slab: a line that arrives alone does not cost 256 KiB.
  SlabRef shared_;
  std::size_t shared_used_ = 0;
};

}  // namespace logflume
