#include "source/line_reader.h"

#include <cstring>

#include "event/newlines.h"

namespace logflume {
namespace {

constexpr std::size_t kAlignBytes = 64;
// A live file's read gets at least this much of the shared slab.
constexpr std::size_t kSharedRoomMin = 16 * 1024;
// An unfinished event at least this long is scanned onwards instead of read again from its beginning.
constexpr std::uint64_t kLongEventBytes = 64 * 1024;
constexpr std::size_t kHeadBytes = 64;  // of a long event, kept to know it again

Seam seam_before(const char* begin, const char* end) {
  return Seam::before(end, static_cast<std::size_t>(end - begin));
}

std::string_view piece_text(const Piece& piece) { return {piece.data, piece.bytes}; }

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

void LineReader::release() {
  shared_ = {};
  if (ahead_ != nullptr) ahead_->drop_all();
}

bool LineReader::find_room(bool behind, Room& room) {
  // Nobody views anything in it any more: its beginning is still in the processor's cache.
  if (shared_ && shared_->unique()) shared_used_ = 0;
  if (!behind && shared_ && shared_->capacity() - shared_used_ >= kSharedRoomMin) {
    room = {shared_, shared_->data() + shared_used_, shared_->capacity() - shared_used_};
    return true;
  }
  SlabRef slab = slabs_.try_acquire();
  if (!slab && ahead_ != nullptr) {
    ahead_->drop_all();
    slab = slabs_.try_acquire();
  }
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
  file.turn_to_long_event(request.position);
  if (file.in_long_event(request.position)) {
    if (file.long_events->current.to <= request.limit) return read_long_event(file, request, out);
    file.end_long_event();
  }
  const Start start = start_of(file, request);
  Bytes bytes;
  if (auto none = get_bytes(file, request, start, bytes)) return std::move(*none);
  const Room& room = bytes.room;
  if (!std::string_view(room.data, bytes.got).starts_with(start.seam.view())) {
    return status_only(ReadStatus::kTruncated);
  }
  const std::string_view text(room.data + start.seam.size(), bytes.got - start.seam.size());
  const bool at_end = text.size() < bytes.wanted;
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

  const std::size_t lines_end = end_of_last_line(text);
  std::size_t complete = lines_end;
  // A limit at which no event ends by itself is the end of one that was emitted all the same.
  const bool all = at_limit || (at_end && request.flush_partial);
  if (all) complete = text.size();
  const bool last_unterminated = complete > lines_end;
  if (rules_) {
    const bool quiet = at_end && request.quiet_bytes == text.size();
    complete =
        index_events(text.substr(0, complete), bytes.lines, text.size() - bytes.counted_bytes, all || quiet);
    report.open_event = lines_end > complete;
  }
  report.partial_bytes = text.size() - complete;
  if (complete == 0) {
    if (!at_end || text.size() >= kLongEventBytes) begin_long_event(file, request, start, text);
    return report;
  }
  if (ahead_ != nullptr && request.may_read_ahead && !at_end && !at_limit && !file.archive) {
    ahead_->go_on(file, start.position + text.size(), request.limit,
                  {room.slab, room.data, bytes.got, 0, 0, {}});
  }
  const auto end = static_cast<std::size_t>(text.data() + complete - room.slab->data());
  const std::size_t used = (end + kAlignBytes - 1) / kAlignBytes * kAlignBytes;
  // The next short read goes behind it, also when this one was of a backlog: a slab that is mostly empty
  // would be held for as long as a sink holds its few lines.
  if (room.slab == shared_) {
    shared_used_ = used;
  } else if (used + kSharedRoomMin <= room.slab->capacity() && (!shared_ || used < shared_used_)) {
    shared_ = room.slab;
    shared_used_ = used;
  }
  Text whole{room, request, start.position, text.substr(0, complete), last_unterminated, {}};
  if (bytes.counted_bytes > 0 && !rules_) {  // and the rest is what was unfinished before it
    whole.newlines = bytes.newlines + count_newlines(text.substr(0, text.size() - bytes.counted_bytes));
  }
  if (!(rules_ ? cut_events(whole, out) : cut_lines(whole, out))) report.status = ReadStatus::kMore;
  return report;
}

// None: here they are.
std::optional<ReadReport> LineReader::get_bytes(TailedFile& file, const ReadRequest& request,
                                                const Start& start, Bytes& bytes) {
  if (ahead_ != nullptr && request.may_read_ahead && !start.skipping_nuls && !file.archive) {
    ReadAhead::Text text;
    switch (ahead_->take(file, start.position, start.seam.size(), request.limit, text)) {
      case ReadAhead::Answer::kNone:
        break;
      case ReadAhead::Answer::kText:
        bytes = {{std::move(text.slab), text.data, text.bytes},
                 text.bytes - start.seam.size(),
                 text.bytes,
                 text.newlines,
                 text.block_bytes,
                 std::move(text.lines)};
        return {};
      case ReadAhead::Answer::kPending:
        return status_only(ReadStatus::kPending);
    }
  }
  if (!find_room(file.behind, bytes.room)) return status_only(ReadStatus::kNoMemory);
  bytes.wanted = static_cast<std::size_t>(std::min<std::uint64_t>(
      std::min(request.bytes_max, bytes.room.bytes - start.seam.size()), request.limit - start.position));
  const std::uint64_t from = start.position - start.seam.size();
  const std::span<char> to(bytes.room.data, start.seam.size() + bytes.wanted);
  const bool is_tail = file.caught_up_at != TimePoint{} && file.is_local && !file.behind && !file.archive;
  const Result<std::size_t> got =
      is_tail ? blocks_.read_tail(file.fd.get(), from, to) : blocks_of(file).read(file.fd.get(), from, to);
  if (!got) return failed(got.error());
  bytes.got = *got;
  return {};
}

LineReader::Start LineReader::start_of(const TailedFile& file, const ReadRequest& request) {
  const bool skipping = file.content->nuls_may_lead && request.position == 0;
  // Leading NUL bytes that are known need no second look.
  if (skipping) return {file.content->nuls_to, Seam{}, true};
  return {request.position, request.seam, false};
}

// -- Events of a read -------------------------------------------------------------------------------------

// Notes where the multi-line events of `lines` end; the last one may go on behind them and is noted when
// `last_too`. Returns where the noted ones end. Those behind the first `head_bytes` may be marked.
std::size_t LineReader::index_events(std::string_view lines, const LineMarks& marked, std::size_t head_bytes,
                                     bool last_too) {
  const std::size_t end = rules_->find_ends(lines, marked, head_bytes, open_, ends_);
  if (!last_too || end == lines.size()) return end;
  ends_.at.push_back(static_cast<std::uint32_t>(lines.back() == '\n' ? lines.size() - 1 : lines.size()));
  return lines.size();
}

void LineReader::count_cuts(std::size_t first, std::size_t last, Piece& piece) const {
  for (const auto& [index, cut] : ends_.cuts) {
    if (index < first || index >= last) continue;
    ++(cut == EventRules::Cut::kMaxLines ? piece.cut_by_lines : piece.cut_by_bytes);
  }
}

// The piece that views `bytes` bytes from `begin` on and owes those up to `end`.
Piece LineReader::make_piece(const Text& text, std::size_t begin, std::size_t bytes, std::size_t end) {
  Piece piece;
  piece.slab = text.room.slab;
  piece.data = text.text.data() + begin;
  piece.bytes = bytes;
  // What was skipped before the first event is owed with it.
  piece.owed = {begin == 0 ? text.request.position : text.position + begin, text.position + end};
  piece.text_begin = text.position + begin;
  piece.seam = seam_before(text.room.data, text.text.data() + end);
  return piece;
}

bool LineReader::cut_lines(const Text& text, PieceSink& out) const {
  const std::size_t complete = text.text.size();
  std::size_t begin = 0;
  while (begin < complete) {
    const std::string_view rest = text.text.substr(begin);
    const std::size_t long_line =
        rest.size() > max_line_bytes_ ? find_long_line(rest, max_line_bytes_) : rest.npos;
    std::size_t end = long_line == rest.npos ? complete : begin + long_line;
    Piece piece;
    if (end > begin) {
      piece = make_piece(text, begin, end - begin, end);
      const bool counted = text.newlines && piece.bytes == complete;
      piece.events = static_cast<std::uint32_t>(counted ? *text.newlines : count_newlines(piece_text(piece)));
      if (end == complete && text.last_unterminated) {
        piece.unterminated = true;
        ++piece.events;
      }
    } else {
      const std::size_t newline = rest.find('\n');
      end = newline == rest.npos ? complete : begin + newline + 1;
      piece = make_piece(text, begin, max_line_bytes_, end);
      piece.events = 1;
      piece.unterminated = piece.truncated = true;
    }
    begin = end;
    if (!out.take(std::move(piece))) return begin == complete;
  }
  return true;
}

bool LineReader::cut_events(const Text& text, PieceSink& out) const {
  const std::vector<std::uint32_t>& all = ends_.at;
  std::size_t begin = 0;
  for (std::size_t next = 0; next < all.size();) {
    // As many as are not too long, or one that is.
    const std::size_t first = next;
    std::size_t end = begin;
    if (text.text.size() - begin <= max_line_bytes_) {
      next = all.size();
      end = text.text.size();
    }
    while (next < all.size() && all[next] - end <= max_line_bytes_) end = std::size_t{all[next++]} + 1;
    const bool truncated = next == first;
    if (truncated) end = std::size_t{all[next++]} + 1;
    end = std::min(end, text.text.size());
    Piece piece = make_piece(text, begin, truncated ? max_line_bytes_ : end - begin, end);
    piece.events = static_cast<std::uint32_t>(next - first);
    piece.truncated = truncated;
    piece.unterminated = truncated || (next == all.size() && text.last_unterminated);
    if (truncated) {
      piece.event_ends.push_back(static_cast<std::uint32_t>(max_line_bytes_));
    } else {
      piece.event_ends.assign(all.begin() + static_cast<std::ptrdiff_t>(first),
                              all.begin() + static_cast<std::ptrdiff_t>(next));
      if (begin > 0) {
        for (std::uint32_t& at : piece.event_ends) at -= static_cast<std::uint32_t>(begin);
      }
    }
    count_cuts(first, next, piece);
    begin = end;
    if (!out.take(std::move(piece))) return next == all.size();
  }
  return true;
}

// -- Events longer than a read ----------------------------------------------------------------------------

// `text` holds no end of the event at the request's position.
void LineReader::begin_long_event(TailedFile& file, const ReadRequest& request, const Start& start,
                                  std::string_view text) const {
  if (ahead_ != nullptr) ahead_->drop(file.fd.get());
  if (!file.long_events) file.long_events = std::make_unique<TailedFile::LongEvents>();
  auto& [current, aside] = *file.long_events;
  if (!file.archive && current.exists && current.begin != request.position) {
    if (aside.size() >= file.content->cursors.size())
      aside.erase(aside.begin());  // nobody stands there any more
    aside.push_back(std::move(current));
  }
  current = {};
  current.exists = true;
  current.begin = request.position;
  current.text_begin = start.position;
  current.head = text.substr(0, kHeadBytes);
  // Of several lines, those that are whole were judged.
  current.to = start.position + (rules_ ? end_of_last_line(text) : text.size());
  current.in_line = !rules_;
  if (rules_) current.open = open_;
  // An archive cannot go back to where the event began.
  if (file.archive)
    file.archive->pin(start.position - start.seam.size(), start.seam.size() + max_line_bytes_);
}

ReadReport LineReader::read_long_event(TailedFile& file, const ReadRequest& request, PieceSink& out) {
  TailedFile::LongEvent& event = file.long_events->current;
  Room room;
  if (!find_room(true, room)) return status_only(ReadStatus::kNoMemory);
  const std::size_t want =
      static_cast<std::size_t>(std::min<std::uint64_t>(room.bytes, request.limit - event.to));
  const Result<std::size_t> got = blocks_of(file).read(file.fd.get(), event.to, {room.data, want});
  if (!got) return failed(got.error());
  const bool at_end = *got < want || want == 0;
  const std::string_view text(room.data, *got);
  const std::uint64_t end = event.to + text.size();
  const auto found = rules_ ? find_end_of_lines(event, text) : find_end(event, text);
  if (found) return emit_long_event(file, request, *found, true, out);

  const auto unjudged = static_cast<std::size_t>(end - event.to);  // part of a line
  const bool terminated = rules_ && !event.in_line && unjudged == 0;
  const bool is_last = end == request.limit || (at_end && request.flush_partial);
  if (is_last && unjudged > 0) {
    const std::string_view line = text.substr(text.size() - unjudged);
    EventRules::Open open = event.open;
    const EventRules::Verdict verdict = rules_->judge(open, line, event.to - event.text_begin);
    event.cut = verdict.cut;
    if (verdict.over_before) return emit_long_event(file, request, event.to, true, out);
  }
  if (end == request.limit) return emit_long_event(file, request, end, terminated, out);
  ReadReport report = status_only(at_end ? ReadStatus::kEnd : ReadStatus::kMore, text.size());
  report.partial_bytes = end - event.text_begin;
  report.open_event = rules_ && !event.in_line && event.open.lines > 0;
  if (!at_end) return report;
  if (!file.archive) {
    const Result<FileStatus> status = file_status(file.fd.get());
    if (!status) return failed(status.error());
    if (status->size_bytes < end) return status_only(ReadStatus::kTruncated);
  }
  if (request.flush_partial) return emit_long_event(file, request, end, terminated, out);
  if (report.open_event && request.quiet_bytes == report.partial_bytes) {
    return emit_long_event(file, request, event.to, true, out);
  }
  return report;
}

// Where the event, a line, ends. `text` stands at event.to, which without an end goes on behind it.
std::optional<std::uint64_t> LineReader::find_end(TailedFile::LongEvent& event, std::string_view text) {
  const std::size_t newline = text.find('\n');
  if (newline != text.npos) return event.to + newline + 1;
  event.to += text.size();
  return {};
}

// The same of an event of lines. Without an end, event.to goes on to a line of which there is too little to
// judge it, or into one that was judged by what there is of it. With one, the next call finds it again: there
// may be no memory for the event now.
std::optional<std::uint64_t> LineReader::find_end_of_lines(TailedFile::LongEvent& event,
                                                           std::string_view text) {
  const std::uint64_t from = event.to;
  for (std::size_t at = 0;;) {
    const std::size_t newline = text.find('\n', at);
    const bool is_whole = newline != text.npos;
    const std::string_view line = text.substr(at, newline - at);
    if (!event.in_line) {
      if (!is_whole && line.size() < EventRules::kHeadBytesMax) return {};
      EventRules::Open open = event.open;
      const EventRules::Verdict verdict = rules_->judge(open, line, event.to - event.text_begin);
      event.cut = verdict.cut;
      if (verdict.over_before) return event.to;
      event.open = open;
      event.line_begin = event.to;
      event.ends_with_line = verdict.over_behind;
      event.in_line = true;
    }
    event.to = from + at + line.size();
    if (event.line_begin > event.text_begin && rules_->is_too_long(event.to - event.text_begin)) {
      event.cut = EventRules::Cut::kMaxBytes;
      return event.line_begin;
    }
    if (!is_whole) return {};
    if (event.ends_with_line) return event.to + 1;
    ++event.to;
    event.in_line = false;
    at = newline + 1;
  }
}

// The event that ends at `end` was found to its end: only now is it read as a whole, or its first
// max_line_bytes, so that an unfinished event of any length costs no memory.
ReadReport LineReader::emit_long_event(TailedFile& file, const ReadRequest& request, std::uint64_t end,
                                       bool terminated, PieceSink& out) {
  const Start start = start_of(file, request);
  const std::uint64_t length = end - start.position - (terminated ? 1 : 0);
  const bool truncated = length > max_line_bytes_;
  const std::size_t take =
      static_cast<std::size_t>(truncated ? max_line_bytes_ : length + (terminated ? 1 : 0));
  const std::size_t whole = start.seam.size() + take;
  SlabRef slab = slabs_.try_acquire_large(whole);
  if (!slab) return status_only(ReadStatus::kNoMemory);
  Result<std::size_t> got =
      blocks_of(file).read(file.fd.get(), start.position - start.seam.size(), {slab->data(), whole});
  if (!got) return failed(got.error());
  if (*got < whole || !std::string_view(slab->data(), *got).starts_with(start.seam.view())) {
    return status_only(ReadStatus::kTruncated);
  }
  // Truncated and grown again behind what was scanned: its first bytes differ, or it is no longer one line.
  const std::string_view event(slab->data() + start.seam.size(), take);
  const std::string& head = file.long_events->current.head;
  if (!event.starts_with(std::string_view(head).substr(0, std::min(head.size(), event.size()))) ||
      (!rules_ &&
       event.substr(0, event.size() - (terminated && !truncated ? 1 : 0)).find('\n') != event.npos)) {
    file.end_long_event();
    return status_only(ReadStatus::kTruncated);
  }
  Piece piece;
  piece.slab = slab;
  piece.data = slab->data() + start.seam.size();
  piece.bytes = take;
  piece.events = 1;
  piece.truncated = truncated;
  piece.unterminated = truncated || !terminated;
  piece.owed = {request.position, end};
  piece.text_begin = start.position;
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
  if (rules_) piece.event_ends.push_back(static_cast<std::uint32_t>(take - (piece.unterminated ? 0 : 1)));
  piece.cut_by_lines = file.long_events->current.cut == EventRules::Cut::kMaxLines ? 1 : 0;
  piece.cut_by_bytes = file.long_events->current.cut == EventRules::Cut::kMaxBytes ? 1 : 0;
  file.end_long_event();
  ReadReport report = status_only(ReadStatus::kMore, length);
  out.take(std::move(piece));
  return report;
}

}  // namespace logflume
