#include "source/feeder.h"

namespace logflume {
namespace {

constexpr Duration kRejoin =
    std::chrono::seconds(1);  // with room for so long, a sink may be waited for again
constexpr Duration kRingRetry = std::chrono::milliseconds(2);
constexpr std::size_t kNoteBytes = 512;         // of it, in a sink; the rest is shared
constexpr std::uint32_t kOverheadBytes = 1024;  // measured: 400 for TCP, 900 for Kafka

}  // namespace

Feeder::Feeder(SourceContext& context, FileRecords& records, bool strip_cr)
    : context_(context),
      records_(records),
      strip_cr_(strip_cr),
      truncated_events_(context.metrics.registry.counter(
          "logflume_truncated_events_total", "Events cut at max_line_bytes.", {{"component", context.name}})),
      journal_(context.journal == nullptr ? nullptr
                                          : context.journal->feed(BatchStage::kRead, context.name)) {}

void Feeder::open() {
  for (std::size_t i = 0; i < context_.outlets.size(); ++i) connect(i);
}

Feeder::~Feeder() {
  for (std::size_t i = 0; i < states_.size(); ++i) disconnect(i);
}

void Feeder::pause(std::size_t index) {
  finish(context_.outlets[index].sink);
  states_[index] = {};
  states_[index].paused = true;
}

void Feeder::connect(std::size_t index) {
  if (index == states_.size()) states_.emplace_back();
  states_[index] = {};
  context_.outlets[index].ledger->add_source(context_.loop.parker());
}

void Feeder::disconnect(std::size_t index) {
  drain();
  context_.outlets[index].ledger->remove_source(context_.loop.parker());
}

void Feeder::erase(std::size_t index) { states_.erase(states_.begin() + static_cast<std::ptrdiff_t>(index)); }

bool Feeder::has_room(std::size_t index) const {
  const Outlet& outlet = context_.outlets[index];
  return outlet.buffer_has_room(states_[index].full && !states_[index].ring_full) && outlet.lane_has_room();
}

bool Feeder::look_for_room(std::size_t index, TimePoint now) {
  State& state = states_[index];
  if (has_room(index)) {
    if (state.full) {
      state.full = state.ring_full = false;
      state.room_since = now;
      room_returned_ = true;
    }
    if (state.lagging && now - state.room_since >= kRejoin) state.lagging = false;
    return true;
  }
  if (!state.full) {
    state.full = true;
    state.full_since = now;
    state.ring_full = context_.outlets[index].buffer_has_room(false);
  }
  if (now - state.full_since >= kGrace) state.lagging = true;
  return false;
}

bool Feeder::is_live(const TailedFile& file, std::uint64_t position) {
  return !file.behind && position == file.content->fed_max();
}

bool Feeder::plan(const TailedFile& file, TimePoint now, Groups& groups) {
  const LogContent& content = *file.content;
  bool blocked = false;
  groups.clear();
  members_.clear();
  if (context_.passage && !context_.passage->has_room()) {
    passage_full_ = true;
    return true;
  }
  for (std::size_t i = 0; i < content.cursors.size(); ++i) {
    states_[i].blocked = false;
    if (states_[i].paused) continue;
    const Cursor& cursor = *content.cursors[i];
    const bool live = is_live(file, cursor.fed_offset) && Lanes::may_go_live(cursor) &&
                      context_.outlets[i].has_room_for_live();
    if (!live && !look_for_room(i, now)) {
      states_[i].blocked = blocked = true;
      continue;
    }
    members_.push_back(i);
  }
  const auto place = [&](std::size_t i) { return std::pair(content.cursors[i]->fed_offset, i); };
  std::sort(members_.begin(), members_.end(),
            [&](std::size_t a, std::size_t b) { return place(a) < place(b); });
  for (auto first = members_.cbegin(); first != members_.cend();) {
    const Cursor& cursor = *content.cursors[*first];
    const auto end = std::find_if(first, members_.cend(), [&](std::size_t i) {
      return content.cursors[i]->fed_offset != cursor.fed_offset;
    });
    groups.push_back({cursor.fed_offset, UINT64_MAX, cursor.fed_seam, {first, end}});
    first = end;
  }
  if (groups.size() == 1 && !blocked) return false;

  for (std::size_t i = 0; i < content.cursors.size(); ++i) {
    const std::uint64_t position = content.cursors[i]->fed_offset;
    const bool waited_for = states_[i].blocked && !states_[i].lagging;
    // A member of the convoy that has only just become full is waited for a moment.
    if (waited_for) std::erase_if(groups, [&](const Group& group) { return group.position == position; });
    for (Group& group : groups) {
      if (position > group.position) group.limit = std::min(group.limit, position);
    }
  }
  return blocked;
}

TimePoint Feeder::retry_at(TimePoint now) const {
  TimePoint at = kNever;
  for (const State& state : states_) {
    if (!state.full) continue;
    if (state.ring_full) at = std::min(at, now + kRingRetry);
    if (!state.lagging && states_.size() > 1) at = std::min(at, state.full_since + kGrace);
  }
  return at;
}

void Feeder::begin(TailedFile& file, const Group& group, TimePoint now) {
  file_ = &file;
  group_ = &group;
  fed_ = {group.position, group.position};
  wall_ns_ = wall_now_ns();
  now_ = now;
}

bool Feeder::take(Piece&& piece) {
  LogContent& content = *file_->content;
  auto* batch = new Batch;
  const IntrusivePtr<const Batch> shared(batch);
  batch->slab = std::move(piece.slab);
  batch->data = piece.data;
  batch->bytes = piece.bytes;
  batch->events = piece.events;
  batch->unterminated = piece.unterminated;
  batch->truncated = piece.truncated;
  batch->strip_cr = strip_cr_;
  batch->overhead_bytes = kOverheadBytes;
  batch->event_ends = std::move(piece.event_ends);
  batch->origin = file_->origin(context_.name);
  batch->owed = batch->in_file = piece.owed;
  batch->text_begin = piece.text_begin;
  batch->seam = piece.seam;
  if (context_.passage) batch->seam_before = content.cursors[group_->members.front()]->fed_seam;
  batch->wall_ns = wall_ns_;
  batch->read_at = now_;
  if (journal_ && journal_->on()) {
    batch->id = journal_->next_batch();
    journal_->note({batch->id, content.id, piece.owed, wall_ns_, piece.events});
  }

  batch->charge(context_.slabs.budget(), sizeof(Batch) + batch->event_ends.size() * sizeof(std::uint32_t) +
                                             group_->members.size() * kNoteBytes);

  fed_.end = piece.owed.end;
  const std::uint64_t received_before = content.received_to;
  if (piece.owed.begin >= content.received_to) {  // otherwise a sink reads again what was counted
    content.received_to = piece.owed.end;
    context_.metrics.received_events.add(piece.events);
    context_.metrics.received_bytes.add(piece.owed.bytes());
    context_.metrics.sent_events.add(piece.events);
    context_.metrics.sent_bytes.add(piece.owed.bytes());
    if (piece.truncated) truncated_events_.add();
    count_cut("max_lines", piece.cut_by_lines);
    count_cut("max_bytes", piece.cut_by_bytes);
    if (piece.owed.bytes() != piece.bytes) note_skipped(*batch);
  }
  const bool newest = is_live(*file_, piece.owed.begin);  // asked before a member moves on
  const bool again = piece.owed.begin < received_before;
  bool room = true;
  std::vector<Passage::Member> through;
  for (const std::size_t member : group_->members) {
    const Outlet& outlet = context_.outlets[member];
    const CursorRef& cursor = content.cursors[member];
    outlet.ledger->charge(batch->charged_bytes());
    cursor->fed_offset = piece.owed.end;
    cursor->fed_seam = piece.seam;
    bool live = newest;
    if (context_.passage) {
      through.push_back({member, cursor});
    } else {
      live = outlet.push(shared, cursor, newest);
      states_[member].fed = true;
    }
    room = room && (live ? outlet.has_room_for_live() : has_room(member));
  }
  if (!context_.passage) return room;
  context_.passage->take(shared, std::move(through), again, newest);
  return room && context_.passage->has_room();
}

void Feeder::count_cut(const char* reason, std::uint32_t events) {
  if (events == 0) return;
  context_.metrics.registry
      .counter("logflume_cut_events_total",
               "Multi-line events that a limit has ended: what followed is the next event.",
               {{"component", context_.name}, {"reason", reason}})
      .add(events);
}

void Feeder::note_skipped(const Batch& batch) {
  const auto note = [&](std::uint64_t begin, std::uint64_t end, const char* reason) {
    if (begin >= end) return;
    records_.put_range(
        {file_->content->id, {}, begin, end, RangeKind::kSkipped, reason, end - begin, 0, batch.wall_ns});
  };
  note(batch.owed.begin, batch.text_begin, "leading_nul");
  note(batch.text_begin + batch.bytes, batch.owed.end, "max_line_bytes");
}

bool Feeder::room_returned() const {
  if (room_returned_) return true;
  if (passage_full_ && context_.passage->has_room()) return true;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (states_[i].full && has_room(i)) return true;
  }
  return false;
}

bool Feeder::take_room_returned(TimePoint now) {
  if (passage_full_ && context_.passage->has_room()) {
    passage_full_ = false;
    room_returned_ = true;
  }
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (states_[i].full) look_for_room(i, now);
  }
  return std::exchange(room_returned_, false);
}

void Feeder::wake_sinks() {
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (std::exchange(states_[i].fed, false)) context_.outlets[i].sink_thread->wake();
  }
}

void Feeder::set_passage(std::unique_ptr<Passage> passage) {
  drain();
  if (context_.passage && passage) passage->take_over(*context_.passage);
  finish();
  context_.passage = std::move(passage);
  room_returned_ |= std::exchange(passage_full_, false);
}

void Feeder::drain() {
  if (context_.passage) context_.passage->drain(context_.outlets);
}

void Feeder::finish() {
  drain();
  if (context_.passage) context_.passage->finish(context_.outlets);
}

void Feeder::finish(const std::string& sink) {
  drain();
  if (context_.passage) context_.passage->finish(sink, context_.outlets);
}

bool Feeder::close_all() {
  drain();
  return !context_.passage || context_.passage->close_all(context_.outlets);
}

std::optional<Duration> Feeder::quiet(const LogContent& content, Duration quiet) {
  if (!context_.passage) return std::nullopt;
  std::vector<Passage::Member> members;
  const std::uint64_t end = content.fed_max();
  for (std::size_t i = 0; i < content.cursors.size(); ++i) {
    if (!states_[i].paused && content.cursors[i]->fed_offset == end)
      members.push_back({i, content.cursors[i]});
  }
  return context_.passage->quiet(members, quiet, context_.outlets);
}

bool Feeder::all_acknowledged() const {
  return std::all_of(context_.outlets.begin(), context_.outlets.end(),
                     [](const Outlet& outlet) { return outlet.ledger->inflight_batches() == 0; });
}

}  // namespace logflume
