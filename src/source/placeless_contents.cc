#include "source/placeless_contents.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"

namespace logflume {
namespace {

constexpr std::int64_t kForgetAfterNs = 7LL * 24 * 3600 * 1'000'000'000;  // gone files are remembered so long

}  // namespace

std::uint64_t PlacelessContents::Remembered::offset_max() const {
  const CursorRecord* cursor = leader();
  return cursor == nullptr ? 0 : cursor->offset;
}

const CursorRecord* PlacelessContents::Remembered::leader() const {
  const auto it =
      std::max_element(cursors.begin(), cursors.end(),
                       [](const CursorRecord& a, const CursorRecord& b) { return a.offset < b.offset; });
  return it == cursors.end() ? nullptr : &*it;
}

// -- Of the last run ----------------------------------------------------------------------------------------

PlacelessContents::Remembered* PlacelessContents::remember(FileRecord record,
                                                           std::vector<CursorRecord> cursors,
                                                           std::shared_ptr<LogContent> live) {
  if (record.gone && record.updated_ns < wall_now_ns() - kForgetAfterNs) {
    records_.remove(record.id);
    return nullptr;
  }
  if (record.gone) gone_keys_[{record.device, record.inode}] = record.birth_ns;
  Remembered& remembered = remembered_[record.id];
  remembered.record = std::move(record);
  remembered.cursors = std::move(cursors);
  remembered.live = std::move(live);
  const FileRecord& known = remembered.record;
  if (!known.gone) by_key_[remembered.key()] = &remembered;
  // One that is gone and of which nothing was read no copy could continue.
  if (!known.gone || known.prefix_bytes != 0) remembered_index_.add(remembered.prefix(), &remembered);
  return &remembered;
}

void PlacelessContents::remember_stored(std::span<const FileRecord* const> records,
                                        const std::vector<CursorRecord>& cursors) {
  std::vector<const CursorRecord*> by_file;
  by_file.reserve(cursors.size());
  for (const CursorRecord& cursor : cursors) by_file.push_back(&cursor);
  std::ranges::stable_sort(by_file, {}, &CursorRecord::file_id);
  for (const FileRecord* record : records) {
    const auto own = std::ranges::equal_range(by_file, record->id, {}, &CursorRecord::file_id);
    if (!record->gone) {
      stored_.add(*record, own);
      continue;
    }
    std::vector<CursorRecord> copies;
    for (const CursorRecord* cursor : own) copies.push_back(*cursor);
    remember(*record, std::move(copies), nullptr);
  }
  stored_.seal();
}

PlacelessContents::Remembered* PlacelessContents::keep(StoredContents::Content content) {
  return remember(std::move(content.record), std::move(content.cursors), nullptr);
}

const PlacelessContents::Remembered* PlacelessContents::find_known(std::uint64_t file_id) const {
  const auto it = remembered_.find(file_id);
  return it == remembered_.end() ? nullptr : &it->second;
}

PlacelessContents::Remembered* PlacelessContents::find(std::uint64_t file_id) {
  if (const auto it = remembered_.find(file_id); it != remembered_.end()) return &it->second;
  const auto stored = stored_.find(file_id);
  return stored ? keep(stored_.take(*stored)) : nullptr;
}

PlacelessContents::Remembered* PlacelessContents::remembered_in(FileKey key) {
  if (const auto it = by_key_.find(key); it != by_key_.end()) return it->second;
  const auto stored = stored_.find(key);
  return stored ? keep(stored_.take(*stored)) : nullptr;
}

bool PlacelessContents::stood_at(FileKey key, std::string_view sink, std::uint64_t offset) const {
  if (const auto it = by_key_.find(key); it != by_key_.end()) {
    return std::ranges::any_of(it->second->cursors, [&](const CursorRecord& cursor) {
      return cursor.sink == sink && cursor.offset == offset;
    });
  }
  const auto stored = stored_.find(key);
  return stored && stored_.stood_at(*stored, sink, offset);
}

std::vector<PlacelessContents::Remembered*> PlacelessContents::remembered_alike(std::string_view head) {
  constexpr std::size_t kFoundMax = PrefixIndex<Remembered*>::kFoundMax;
  std::vector<Remembered*> alike = remembered_index_.find(head);
  if (alike.size() == kFoundMax || stored_.size() == 0) return alike;
  std::vector<std::uint64_t> ids;
  stored_.find_alike(head, kFoundMax - alike.size(), ids);
  if (ids.empty()) return alike;
  for (const std::uint64_t id : ids) (void)find(id);
  return remembered_index_.find(head);
}

std::vector<FileKey> PlacelessContents::keys() const {
  std::vector<FileKey> keys = stored_.keys();
  for (const auto& [key, remembered] : by_key_) keys.push_back(key);
  return keys;
}

void PlacelessContents::vanish(Remembered& remembered) {
  remembered.vanished = true;
  remembered.record.gone = true;
  remembered.record.updated_ns = wall_now_ns();
  records_.put(remembered.record);
  is_no_longer_in_place(remembered);
}

void PlacelessContents::is_no_longer_in_place(const Remembered& remembered) {
  const auto in_place = by_key_.find(remembered.key());
  if (in_place != by_key_.end() && in_place->second == &remembered) by_key_.erase(in_place);
}

void PlacelessContents::forget(Remembered& remembered) {
  remembered_index_.remove(remembered.prefix(), &remembered);
  is_no_longer_in_place(remembered);
  remembered_.erase(remembered.record.id);
}

bool PlacelessContents::had_gone_from(FileKey key, std::int64_t birth_ns) const {
  const auto gone = gone_keys_.find(key);
  return gone != gone_keys_.end() && same_birth(gone->second, birth_ns);
}

// -- Of this run --------------------------------------------------------------------------------------------

void PlacelessContents::add_ghost(std::shared_ptr<LogContent> content) {
  ghost_index_.add(content->prefix, content.get());
  ghosts_.push_back(std::move(content));
  if (ghosts_.size() <= kGhostsMax) return;
  const LogContent& oldest = *ghosts_.front();
  ghost_index_.remove(oldest.prefix, ghosts_.front().get());
  if (oldest.all_acknowledged()) records_.remove(oldest.id);
  ghosts_.pop_front();
}

std::shared_ptr<LogContent> PlacelessContents::take_ghost(const LogContent& content) {
  const auto it = std::find_if(ghosts_.begin(), ghosts_.end(),
                               [&](const auto& ghost) { return ghost.get() == &content; });
  if (it == ghosts_.end()) return nullptr;
  std::shared_ptr<LogContent> ghost = std::move(*it);
  ghosts_.erase(it);
  ghost_index_.remove(ghost->prefix, ghost.get());
  return ghost;
}

}  // namespace logflume
