#include "source/tailed_file.h"

#include "checkpoint/sink_ledger.h"

namespace logflume {

std::uint64_t LogContent::fed_max() const {
  std::uint64_t max = 0;
  for (const CursorRef& cursor : cursors) max = std::max(max, cursor->fed_offset);
  return max;
}

std::uint64_t LogContent::fed_min() const {
  std::uint64_t min = UINT64_MAX;
  for (const CursorRef& cursor : cursors) min = std::min(min, cursor->fed_offset);
  return min;
}

const Seam& LogContent::fed_max_seam() const {
  const auto leader =
      std::max_element(cursors.begin(), cursors.end(),
                       [](const CursorRef& a, const CursorRef& b) { return a->fed_offset < b->fed_offset; });
  return (*leader)->fed_seam;
}

bool LogContent::all_acknowledged() const {
  return std::all_of(cursors.begin(), cursors.end(),
                     [](const CursorRef& cursor) { return cursor->acked_offset() >= cursor->fed_offset; });
}

void TailedFile::turn_to_long_event(std::uint64_t position) {
  if (!long_events || long_events->current.is_at(position)) return;
  const auto aside = std::find_if(long_events->aside.begin(), long_events->aside.end(),
                                  [&](const LongEvent& event) { return event.is_at(position); });
  if (aside != long_events->aside.end()) std::swap(long_events->current, *aside);
}

void TailedFile::end_long_event() {
  if (!long_events) return;
  long_events->current = {};
  if (long_events->aside.empty()) long_events.reset();
}

const std::shared_ptr<const Origin>& TailedFile::origin(const std::string& source) {
  if (!origin_) origin_ = std::make_shared<Origin>(Origin{source, path(), content ? content->id : 0});
  return origin_;
}

std::vector<Unread> unread_of(const LogContent& content) {
  std::vector<Unread> unread;
  for (const CursorRef& cursor : content.cursors)
    unread.push_back({cursor->ledger().sink(), cursor->fed_offset});
  return unread;
}

void TailedFile::set_content(std::shared_ptr<LogContent> next) {
  content = std::move(next);
  long_events.reset();
  partial_bytes = 0;
  held_for = 0;
  behind = flush_partial = finished_copy = cut_seen = false;
  drop_origin();  // events of another content must not carry the old identity
}

}  // namespace logflume
