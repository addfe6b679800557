#include "source/line_reader.h"

#include <cstring>

#include "event/newlines.h"

namespace logflume {
namespace {

constexpr std::size_t kAlignBytes = 64;
// A live file's read gets at least this much of the shared slab.
constexpr std::size_t kSharedRoomMin = 16 * 1024;
// An unfinished line at least this long is scanned onwards instead of read again from its beginning.
constexpr std::uint64_t kLongLineBytes = 64 * 1024;

Seam seam_before(const char* begin, const char* end) {
  return Seam::before(end, static_cast<std::size_t>(end - begin));
}

ReadReport failed(Error error) {
  ReadReport report;
  report.status = ReadStatus::kError;
  report.error = std::move(error);
  return report;
}

ReadReport status_only(ReadStatus status, std::uint64_t bytes_read = 0) {
  ReadReport report;
  report.status = status;
  report.bytes_read = bytes_read;
  return report;
}

}  // namespace

bool LineReader::find_room(bool behind, Room& room) {
  if (!behind && shared_ && shared_->capacity() - shared_used_ >= kSharedRoomMin) {
    room = {shared_, shared_->data() + shared_used_, shared_->capacity() - shared_used_};
    return true;
  }
  SlabRef slab = slabs_.try_acquire();
  if (!slab) return false;
  room = {slab, slab->data(), slab->capacity()};
  if (!behind) {
    shared_ = std::move(slab);
    shared_used_ = 0;
  }
  return true;
}

BlockReader& LineReader::blocks_of(const TailedFile& file) const {
  return file.archive ? static_cast<BlockReader&>(*file.archive) : blocks_;
}

ReadReport LineReader::read(TailedFile& file, const ReadRequest& request, PieceSink& out) {
  if (file.long_line_to > file.long_line_begin && file.long_line_begin == request.position) {
    return read_long_line(file, request, out);
  }
  Room room;
  if (!find_room(file.behind, room)) return status_only(ReadStatus::kNoMemory);
  const Start start = start_of(file, request);
  const std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(
      std::min(request.bytes_max, room.bytes - start.seam.size), request.limit - start.position));
  const Result<std::size_t> got = blocks_of(file).read(file.fd.get(), start.position - start.seam.size,
                                                       {room.data, start.seam.size + want});
  if (!got) return failed(got.error());
  if (*got < start.seam.size || std::memcmp(room.data, start.seam.bytes, start.seam.size) != 0) {
    return status_only(ReadStatus::kTruncated);
  }
  const std::string_view text(room.data + start.seam.size, *got - start.seam.size);
  const bool at_end = text.size() < want;
  const bool at_limit = start.position + text.size() == request.limit;
  ReadReport report = status_only(at_end ? ReadStatus::kEnd : ReadStatus::kMore, text.size());

  if (start.skipping_nuls) {
    report.nuls_skipped = std::min(text.find_first_not_of('\0'), text.size());
    file.content->nuls_to += report.nuls_skipped;
    if (report.nuls_skipped > 0) {  // look again, behind them
      if (report.nuls_skipped < text.size()) report.status = ReadStatus::kMore;
      return report;
    }
  }

  std::size_t complete = end_of_last_line(text);
  bool last_unterminated = false;
  // A limit that is no line's end is the end of an event that was emitted without a newline.
  if (complete < text.size() && (at_limit || (at_end && request.flush_partial))) {
    complete = text.size();
    last_unterminated = true;
  }
  report.partial_bytes = text.size() - complete;
  if (complete == 0) {
    if (!at_end || text.size() >= kLongLineBytes) {
      file.long_line_begin = request.position;
      file.long_line_to = start.position + text.size();
      // An archive cannot go back to where the line began.
      if (file.archive)
        file.archive->pin(start.position - start.seam.size, start.seam.size + max_line_bytes_);
    }
    return report;
  }
  if (room.slab == shared_) {
    const auto used = static_cast<std::size_t>(text.data() + complete - shared_->data());
    shared_used_ = (used + kAlignBytes - 1) / kAlignBytes * kAlignBytes;
  }
  if (!cut(room, request, start, text.substr(0, complete), last_unterminated, out))
    report.status = ReadStatus::kMore;
  return report;
}

LineReader::Start LineReader::start_of(const TailedFile& file, const ReadRequest& request) {
  const bool skipping = file.content->nuls_may_lead && request.position == 0;
  // Leading NUL bytes that are known need no second look.
  if (skipping) return {file.content->nuls_to, Seam{}, true};
  return {request.position, request.seam, false};
}

bool LineReader::cut(const Room& room, const ReadRequest& request, const Start& start, std::string_view text,
                     bool last_unterminated, PieceSink& out) const {
  const std::size_t complete = text.size();
  std::size_t begin = 0;
  while (begin < complete) {
    // What was skipped before the first event is owed with it.
    const std::uint64_t owed_begin = begin == 0 ? request.position : start.position + begin;
    const std::string_view rest = text.substr(begin);
    const std::size_t long_line =
        rest.size() > max_line_bytes_ ? find_long_line(rest, max_line_bytes_) : rest.npos;
    const std::size_t end = long_line == rest.npos ? complete : begin + long_line;
    if (end > begin) {
      Piece piece;
      piece.slab = room.slab;
      piece.data = text.data() + begin;
      piece.bytes = end - begin;
      piece.events = static_cast<std::uint32_t>(count_newlines(text.substr(begin, end - begin)));
      if (end == complete && last_unterminated) {
        piece.unterminated = true;
        ++piece.events;
      }
      piece.owed = {owed_begin, start.position + end};
      piece.seam = seam_before(room.data, text.data() + end);
      begin = end;
      if (!out.take(std::move(piece))) return begin == complete;
      continue;
    }
    const std::size_t newline = rest.find('\n');
    const std::size_t next = newline == rest.npos ? complete : begin + newline + 1;
    Piece piece;
    piece.slab = room.slab;
    piece.data = text.data() + begin;
    piece.bytes = max_line_bytes_;
    piece.events = 1;
    piece.unterminated = piece.truncated = true;
    piece.owed = {owed_begin, start.position + next};
    piece.seam = seam_before(room.data, text.data() + next);
    begin = next;
    if (!out.take(std::move(piece))) return begin == complete;
  }
  return true;
}

ReadReport LineReader::read_long_line(TailedFile& file, const ReadRequest& request, PieceSink& out) {
  Room room;
  if (!find_room(true, room)) return status_only(ReadStatus::kNoMemory);
  const std::size_t want =
      static_cast<std::size_t>(std::min<std::uint64_t>(room.bytes, request.limit - file.long_line_to));
  const Result<std::size_t> got = blocks_of(file).read(file.fd.get(), file.long_line_to, {room.data, want});
  if (!got) return failed(got.error());
  const bool at_end = *got < want;
  if (const void* newline = std::memchr(room.data, '\n', *got)) {
    const auto index = static_cast<std::uint64_t>(static_cast<const char*>(newline) - room.data);
    return emit_long_line(file, request, file.long_line_to + index + 1, true, out);
  }
  file.long_line_to += *got;
  if (file.long_line_to == request.limit) return emit_long_line(file, request, request.limit, false, out);
  ReadReport report = status_only(at_end ? ReadStatus::kEnd : ReadStatus::kMore, *got);
  report.partial_bytes = file.long_line_to - start_of(file, request).position;
  if (!at_end) return report;
  if (!file.archive) {
    const Result<FileStatus> status = file_status(file.fd.get());
    if (!status) return failed(status.error());
    if (status->size_bytes < file.long_line_to) return status_only(ReadStatus::kTruncated);
  }
  if (request.flush_partial) return emit_long_line(file, request, file.long_line_to, false, out);
  return report;
}

// The line that ends at `end` was found to its end: only now is it read as a whole, or its first
// max_line_bytes, so that an unfinished line of any length costs no memory.
ReadReport LineReader::emit_long_line(TailedFile& file, const ReadRequest& request, std::uint64_t end,
                                      bool terminated, PieceSink& out) {
  const Start start = start_of(file, request);
  const std::uint64_t length = end - start.position - (terminated ? 1 : 0);
  const bool truncated = length > max_line_bytes_;
  const std::size_t take =
      static_cast<std::size_t>(truncated ? max_line_bytes_ : length + (terminated ? 1 : 0));
  const std::size_t whole = start.seam.size + take;
  SlabRef slab = slabs_.try_acquire_large(whole);
  if (!slab) return status_only(ReadStatus::kNoMemory);
  Result<std::size_t> got =
      blocks_of(file).read(file.fd.get(), start.position - start.seam.size, {slab->data(), whole});
  if (!got) return failed(got.error());
  if (*got < whole || std::memcmp(slab->data(), start.seam.bytes, start.seam.size) != 0) {
    return status_only(ReadStatus::kTruncated);
  }
  Piece piece;
  piece.slab = slab;
  piece.data = slab->data() + start.seam.size;
  piece.bytes = take;
  piece.events = 1;
  piece.truncated = truncated;
  piece.unterminated = truncated || !terminated;
  piece.owed = {request.position, end};
  if (truncated) {
    char tail[Seam::kBytesMax];
    const std::size_t tail_bytes = static_cast<std::size_t>(std::min<std::uint64_t>(end, sizeof tail));
    got = blocks_of(file).read(file.fd.get(), end - tail_bytes, {tail, tail_bytes});
    if (!got) return failed(got.error());
    if (*got < tail_bytes) return status_only(ReadStatus::kTruncated);
    piece.seam = seam_before(tail, tail + tail_bytes);
  } else {
    piece.seam = seam_before(slab->data(), slab->data() + whole);
  }
  file.long_line_begin = file.long_line_to = 0;
  ReadReport report = status_only(ReadStatus::kMore, length);
  out.take(std::move(piece));
  return report;
}

}  // namespace logflume
