#include "source/orphans.h"

#include <algorithm>

namespace logflume {
namespace {

constexpr Duration kCheck = 100ms;
constexpr Duration kPartialQuiet = 2s;  // semantics 7
constexpr Duration kDeletedQuiet = 5s;  // semantics 6

}  // namespace

void Orphans::add(TailedFile& file, TimePoint now) {
  file.followed = handles_.open(file) && discovery_.follow(file.fd.get(), file.token);
  if (!file.orphan) {
    file.orphan = true;
    files_.push_back(file.token);
  }
  const bool too_many = files_.size() > context_.max_held_files;
  next_check_ = std::min(next_check_, too_many ? now : now + kCheck);
  ready_.enqueue(file);
}

void Orphans::look_after(TimePoint now) {
  give_up_deleted(now);
  std::erase_if(files_, [&](FileToken token) {
    TailedFile* file = catalog_.get(token);
    return file == nullptr || is_done(*file, now);
  });
  next_check_ = files_.empty() ? kNever : now + kCheck;
}

// It is no orphan any more, or it is no file any more.
bool Orphans::is_done(TailedFile& file, TimePoint now) {
  if (file.place == TailedFile::Place::kNamed) {  // it has a name again
    if (file.followed) discovery_.unfollow(file.token);
    file.orphan = file.followed = false;
    return true;
  }
  if (file.queued || file.waiting || catalog_.holds_on(file, now)) return false;
  if (!file.followed) ready_.enqueue(file);  // nobody tells when it changes
  const TimePoint quiet_since = std::max(file.last_growth, file.lost_names_at);
  if (file.partial_bytes > 0 && now - quiet_since >= kPartialQuiet) {
    file.flush_partial = true;
    ready_.enqueue(file);
    return false;
  }
  const Duration patience = file.place == TailedFile::Place::kDeleted ? kDeletedQuiet : config_.rotate_wait;
  if (now - quiet_since < patience || file.partial_bytes > 0) return false;
  // What is in flight would be looked for under the old name, should the agent be killed now.
  if (file.content && !file.content->all_acknowledged()) return false;
  const std::uint64_t fed = file.content ? file.content->fed_min() : 0;
  if (!file.fd.valid() && !file.archive_name && file.size_known > fed) {
    // Its handle was lent to another file, and it was deleted where it had been moved to.
    count_unread(file, file.size_known - fed);
    context_.log.warn(context_.name, "{} was deleted and not read in time: bytes {} to {} are lost",
                      file.path(), fed, file.size_known);
  }
  context_.log.debug(context_.name, "{}: read to its end and quiet, closed", file.path());
  let_go(file);
  return true;
}

// Deleted files with unread bytes are held open within `deleted_files`; the longest deleted go first.
void Orphans::give_up_deleted(TimePoint now) {
  std::uint64_t unread_sum = 0;
  std::size_t held = 0;
  for (auto token = files_.rbegin(); token != files_.rend(); ++token) {
    TailedFile* file = catalog_.get(*token);
    if (file == nullptr || file->place != TailedFile::Place::kDeleted || !file->content) continue;
    const std::uint64_t fed = file->content->fed_min();
    const std::uint64_t unread = file->size_known > fed ? file->size_known - fed : 0;
    if (unread == 0) continue;
    unread_sum += unread;
    const bool too_old = now - file->lost_names_at > config_.deleted_files.max_age;
    const bool too_many = ++held > context_.max_held_files;
    if (unread_sum <= config_.deleted_files.max_bytes && !too_old && !too_many) continue;
    unread_sum -= unread;
    --held;
    count_unread(*file, unread);
    context_.log.warn(context_.name, "{} was deleted and not read in time: bytes {} to {} are lost ({})",
                      file->path(), fed, file->size_known,
                      too_old    ? "max_age of deleted_files"
                      : too_many ? "the limit of open files"
                                 : "max_bytes of deleted_files");
    let_go(*file);
  }
}

void Orphans::count_unread(TailedFile& file, std::uint64_t bytes) {
  metrics_.lost_bytes("deleted", bytes);
  if (!file.content) return;
  catalog_.keep_record(file);
  losses_.note(file.content->id, unread_of(*file.content), file.size_known, "deleted");
}

void Orphans::let_go(TailedFile& file) {
  if (file.followed) discovery_.unfollow(file.token);
  catalog_.forget(file);
}

}  // namespace logflume
