// From a file's bytes to pieces of whole events, in a slab.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "event/batch.h"
#include "event/slab.h"
#include "io/block_reader.h"
#include "multiline/event_rules.h"
#include "source/read_ahead.h"
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
  std::vector<std::uint32_t> event_ends;  // as in Batch
  // Events of it that a limit has ended.
  std::uint32_t cut_by_lines = 0;
  std::uint32_t cut_by_bytes = 0;
  FileRange owed;
  std::uint64_t text_begin = 0;  // as in Batch
  Seam seam;
};

// What one look at a file found behind the pieces.
enum class ReadStatus {
  kMore,       // there is more to read
  kEnd,        // read to its end; `partial_bytes` behind the last whole event stay there
  kTruncated,  // the bytes before the position are no longer those that were read
  kPending,    // what comes next is being read ahead
  kNoMemory,   // the memory limit is used up; nothing was read
  kError,
};

struct ReadRequest {
  std::uint64_t position = 0;
  Seam seam;                                     // the bytes before `position`
  std::uint64_t limit = UINT64_MAX;              // do not pass it: another sink's cursor, an event's end
  std::size_t bytes_max = SlabPool::kSlabBytes;  // about how much to read
  bool may_read_ahead = false;                   // blocks behind it, which are wanted next
  bool flush_partial = false;                    // at the end, what is no whole event yet is one
  // The lines behind the last whole event are one if nothing has followed these bytes: it was quiet long
  // enough.
  std::optional<std::uint64_t> quiet_bytes;
};

struct ReadReport {
  ReadStatus status = ReadStatus::kEnd;
  std::uint64_t bytes_read = 0;
  std::uint64_t partial_bytes = 0;
  bool open_event = false;  // among them are whole lines, of a multi-line event that may go on
  std::uint64_t nuls_skipped = 0;
  std::optional<Error> error;
};

// Receives pieces in file order. False: no room for another one; the piece was taken all the same.
class PieceSink {
 public:
  virtual ~PieceSink() = default;
  virtual bool take(Piece&& piece) = 0;
};

// An event is a line, or the lines that rules say belong together.
//
// Threads: one. The unfinished event at the end of a read is read again with what follows it: that costs some
// hundred bytes a slab and saves every copy and every carry-over state.
class LineReader {
 public:
  // `ahead`: null, nothing is read ahead.
  LineReader(BlockReader& blocks, SlabPool& slabs, std::size_t max_line_bytes,
             std::optional<EventRules> rules = {}, ReadAhead* ahead = nullptr)
      : blocks_(blocks),
        slabs_(slabs),
        ahead_(ahead),
        max_line_bytes_(max_line_bytes),
        rules_(std::move(rules)) {}

  // REQUIRES: file.fd is open.
  ReadReport read(TailedFile& file, const ReadRequest& request, PieceSink& out);

  // Lets go of the slab that short reads share, and of what was read ahead.
  void release();
  // Lines that a pattern gave up on since the last call.
  std::optional<EventRules::GaveUp> take_gave_up() {
    return rules_ ? rules_->take_gave_up() : std::optional<EventRules::GaveUp>();
  }

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
  // What a read gave: from where the seam begins, in a slab.
  struct Bytes {
    Room room;
    std::size_t wanted = 0;  // of them, behind the seam
    std::size_t got = 0;     // with the seam
    // In the last `counted_bytes` of them.
    std::size_t newlines = 0;
    std::size_t counted_bytes = 0;
    LineMarks lines;  // if they were marked
  };
  bool find_room(bool behind, Room& room);
  std::optional<ReadReport> get_bytes(TailedFile& file, const ReadRequest& request, const Start& start,
                                      Bytes& bytes);
  BlockReader& blocks_of(const TailedFile& file) const;
  static Start start_of(const TailedFile& file, const ReadRequest& request);
  std::size_t index_events(std::string_view lines, const LineMarks& marked, std::size_t head_bytes,
                           bool last_too);
  void count_cuts(std::size_t first, std::size_t last, Piece& piece) const;
  void begin_long_event(TailedFile& file, const ReadRequest& request, const Start& start,
                        std::string_view text) const;
  ReadReport read_long_event(TailedFile& file, const ReadRequest& request, PieceSink& out);
  std::optional<std::uint64_t> find_end(TailedFile::LongEvent& event, std::string_view text);
  std::optional<std::uint64_t> find_end_of_lines(TailedFile::LongEvent& event, std::string_view text);
  ReadReport emit_long_event(TailedFile& file, const ReadRequest& request, std::uint64_t end, bool terminated,
                             PieceSink& out);
  // What is being cut into pieces.
  struct Text {
    const Room& room;
    const ReadRequest& request;
    std::uint64_t position;  // of its first byte in the file
    std::string_view text;   // whole events
    bool last_unterminated;
    std::optional<std::size_t> newlines;  // when they were counted
  };
  static Piece make_piece(const Text& text, std::size_t begin, std::size_t bytes, std::size_t end);
  bool cut_lines(const Text& text, PieceSink& out) const;
  bool cut_events(const Text& text, PieceSink& out) const;

  BlockReader& blocks_;
  SlabPool& slabs_;
  ReadAhead* const ahead_;
  const std::size_t max_line_bytes_;
  std::optional<EventRules> rules_;  // none: each line is an event
  // In the text that was read: where multi-line events end, and the one that may go on behind them.
  EventRules::Ends ends_;
  EventRules::Open open_;
  // Short reads of live files share a slab: a line that arrives alone does not cost 256 KiB.
  SlabRef shared_;
  std::size_t shared_used_ = 0;
};

}  // namespace logflume
