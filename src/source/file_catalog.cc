#include "source/file_catalog.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <unordered_set>

namespace logflume {
namespace {

constexpr Duration kHoldMax = std::chrono::seconds(5);    // semantics 4
constexpr Duration kHoldAgain = std::chrono::seconds(1);  // as long as the original is read to its end
constexpr std::string_view kStartedKey = "started";       // of a source's state in the store

// What is known of files, with what the allocator adds, as measured with a million of them
// (docs/guarantees.md).
constexpr std::size_t kFileBytes = 640;        // with its name, which discovery has too
constexpr std::size_t kContentBytes = 448;     // of what was read of it, its place in the index and a seam
constexpr std::size_t kCursorBytes = 144;      // for each sink
constexpr std::size_t kRememberedBytes = 256;  // of the last run, before it is found or given up

// The system is short of something: nothing can be told about the file now, and it may be told later.
bool is_shortage(const Error& error) {
  return error.os_errno == EMFILE || error.os_errno == ENFILE || error.os_errno == ENOMEM;
}

}  // namespace

FileCatalog::FileCatalog(const FileSourceConfig& config, SourceContext& context, HandlePool& handles,
                         FileRecords& records, Losses& losses)
    : config_(config),
      context_(context),
      handles_(handles),
      records_(records),
      losses_(losses),
      memory_(context.files),
      placeless_(records) {}

// -- Start ------------------------------------------------------------------------------------------------

void FileCatalog::restore(const CheckpointContent& checkpoint) {
  for (const SinkStateRecord& state : checkpoint.states) {
    known_before_ = known_before_ || (state.sink == context_.name && state.key == kStartedKey);
  }
  if (context_.legacy != nullptr) {
    known_before_ = true;
    inherited_ = true;
    inherit_contents(*context_.legacy, checkpoint);
  } else {
    std::vector<const FileRecord*> own;
    for (const FileRecord& record : checkpoint.files) {
      if (record.source == context_.name) own.push_back(&record);
    }
    known_before_ = known_before_ || !own.empty();
    placeless_.remember_stored(own, checkpoint.cursors);
  }
  for (const RangeRecord& range : checkpoint.ranges) {
    const bool is_known =
        range.kind == RangeKind::kLost || (range.kind == RangeKind::kDiscarded && range.sink.empty());
    Remembered* remembered = is_known ? placeless_.find(range.file_id) : nullptr;
    if (remembered != nullptr) remembered->lost_to.push_back({range.sink, range.end});
  }
  // Should the first scan find nothing, the next start is not the first one all the same.
  if (!known_before_ && config_.start_at == StartAt::kEnd)
    records_.put_state({context_.name, std::string(kStartedKey), "1"});
}

std::vector<TailedFile*> FileCatalog::find_rotated(TimePoint now) {
  std::vector<TailedFile*> rotated;
  for (const FileKey key : placeless_.keys()) {
    if (by_key_.contains(key)) continue;  // found: identify() decides what it is
    Remembered* remembered = placeless_.remembered_in(key);
    if (remembered == nullptr) continue;
    const std::uint64_t id = remembered->record.id;
    const std::string old_path = remembered->record.path;
    const auto path = find_by_inode(old_path.substr(0, old_path.rfind('/')), key);
    if (path == old_path) continue;  // the configuration does not want it any more
    if (path) {
      TailedFile& file = found({*path, key.device, key.inode, remembered->record.birth_ns, 0, 0}, false, now);
      std::optional<Error> error;
      // An archive there is another file: what is compressed under its own inode was never read as it was.
      if (!file.archive_name && identify(file, now, error) == Identity::kKnown && file.content->id == id) {
        file.place = TailedFile::Place::kMoved;
        file.names.clear();
        file.lost_names_at = file.last_growth = now;
        rotated.push_back(&file);
        continue;
      }
      forget(file);
    }
    remembered = placeless_.remembered_in(key);
    if (remembered == nullptr) continue;
    context_.log.info(context_.name, "{} is gone since the last run", old_path);
    suspect_loss(*remembered, now);
    placeless_.vanish(*remembered);
  }
  if (inherited_) return rotated;  // the source before this one has told of its losses
  // What was in flight, or looked for, when the last run was killed.
  placeless_.for_each_known([&](const Remembered& remembered) {
    if (remembered.record.gone && !remembered.vanished) suspect_loss(remembered, now);
  });
  return rotated;
}

// -- Names ------------------------------------------------------------------------------------------------

TailedFile& FileCatalog::found(const FoundFile& found, bool first_scan, TimePoint now) {
  const FileKey key{found.device, found.inode};
  if (const auto it = by_key_.find(key); it != by_key_.end()) {
    TailedFile& file = *it->second;
    if (same_birth(file.birth_ns, found.birth_ns)) {
      file.names.add(found.path);
      if (file.place != TailedFile::Place::kNamed) renamed(file, std::string(file.path()), found.path);
      if (!file.archive_name) file.size_known = std::max(file.size_known, found.size_bytes);
      return file;
    }
    if (file.deleted_ns == 0) file.deleted_ns = found.birth_ns;  // the inode was freed and used again
    forget(file);
  }
  TailedFile& file = files_.add(std::make_unique<TailedFile>());
  file.key = key;
  file.birth_ns = found.birth_ns;
  file.names = FileNames(found.path);
  file.size_known = archive_format_of(found.path) ? 0 : found.size_bytes;
  file.found_bytes = found.size_bytes;
  file.first_scan = first_scan;
  file.last_growth = now;
  file.archive_name = archive_format_of(found.path).has_value();
  if (config_.file_rate_limit) file.rate = std::make_unique<TokenBucket>(*config_.file_rate_limit);
  by_key_[key] = &file;
  return file;
}

bool FileCatalog::looks_settled(const TailedFile& file) const {
  if (file.content) return false;
  if (!placeless_.was_in(file.key)) return false;
  return std::ranges::all_of(context_.outlets, [&](const Outlet& outlet) {
    return placeless_.stood_at(file.key, outlet.sink, file.found_bytes);
  });
}

void FileCatalog::renamed(TailedFile& file, const std::string& old_path, const std::string& new_path) {
  file.names.remove(old_path);
  file.names.add(new_path);
  file.place = TailedFile::Place::kNamed;
  if (file.path() != old_path) return;  // it goes by another of its names
  file.names.go_by(new_path);
  file.drop_origin();
  if (!file.content && !file.archive) file.archive_name = archive_format_of(new_path).has_value();
  if (file.content && file.content->recorded) record(file, *file.content, false);
}

bool FileCatalog::lost(TailedFile& file, const std::string& path, const Discovery::Departure& departure,
                       TimePoint now) {
  file.names.remove(path);
  if (!file.names.empty()) {
    if (file.path() == path) renamed(file, path, std::string(file.names.first()));
    return true;
  }
  file.lost_names_at = now;
  const bool is_deleted = departure.how == Discovery::Departure::How::kDeleted;
  if (!file.fd.valid() && !file.finished_archive() && !is_deleted) {
    // Its handle was given to another file. A failure leaves no handle, which the next lines see.
    file.names.set_moved_to(departure.to);
    Result<void> opened = departure.to.empty() ? Error{Errc::kNotFound, 0, {}} : handles_.open(file);
    if (!opened && !is_shortage(opened.error())) {
      file.names.set_moved_to(whereabouts_.find(path.substr(0, path.rfind('/')), file.key).value_or(""));
      opened = handles_.open(file);
    }
    if (!opened && !file.names.moved_to().empty() && is_shortage(opened.error())) {
      file.place = TailedFile::Place::kMoved;  // it is opened when its turn comes
      return false;
    }
  }
  file.place = TailedFile::Place::kDeleted;
  if (file.fd.valid()) {
    const Result<FileStatus> status = file_status(file.fd.get());
    if (status && status->links > 0) file.place = TailedFile::Place::kMoved;
    if (status && status->links == 0) file.deleted_ns = status->changed_ns;
    if (status && !file.archive_name) file.size_known = std::max(file.size_known, status->size_bytes);
  }
  return false;
}

// -- Content ----------------------------------------------------------------------------------------------

std::shared_ptr<LogContent> FileCatalog::new_content(std::uint64_t offset, const Seam& seam) {
  auto content = std::make_shared<LogContent>();
  content->id = context_.next_file_id();
  content->received_to = offset;
  for (const Outlet& outlet : context_.outlets) {
    content->cursors.emplace_back(new Cursor(*outlet.ledger, content->id, offset, seam));
  }
  return content;
}

void FileCatalog::give_content(TailedFile& file, std::shared_ptr<LogContent> content) {
  if (!file.content) ++contents_;
  file.set_content(std::move(content));
  live_.add(file.content->prefix, &file);
}

// The file is to be identified anew.
void FileCatalog::take_content(TailedFile& file) {
  if (file.content) --contents_;
  file.set_content(nullptr);
}

// Whatever else the memory is used for: what reads and sinks take comes back, so they wait. Beyond the limit,
// which only what the last run left can pass, nothing is reserved, or nobody would get on.
bool FileCatalog::reserve_memory(std::size_t names) {
  const std::size_t content = kContentBytes + context_.outlets.size() * kCursorBytes;
  const std::size_t known =
      std::max(names, files_.size()) * kFileBytes + (contents_ + placeless_.ghost_count()) * content;
  const std::size_t bytes = known - std::min(known, context_.files_beside_bytes);
  const std::size_t others = context_.files.used_bytes() - memory_.bytes();
  const std::size_t room = context_.files.limit_bytes() - std::min(others, context_.files.limit_bytes());
  const std::size_t all = std::min(bytes + placeless_.remembered_count() * kRememberedBytes, room);
  memory_.grow(all);
  memory_.shrink(all);
  full_ = bytes + kFileBytes > room;
  return !full_;
}

FileCatalog::Identity FileCatalog::identify(TailedFile& file, TimePoint now, std::optional<Error>& error) {
  if (file.content) return Identity::kKnown;
  Remembered* const remembered = placeless_.remembered_in(file.key);
  const bool at_end = file.first_scan && config_.start_at == StartAt::kEnd && !known_before_;
  const bool may_be_known = remembered != nullptr || !live_.empty() || !placeless_.nothing_to_find();
  unseen_ = false;
  if (file.size_known == 0 && !file.changed && !file.fd.valid() && !file.archive && remembered == nullptr) {
    if (at_end) file.first_scan = false;  // what comes to stand in it is new
    return Identity::kEmpty;
  }
  // What was known of one that was truncated, or is known from the last run, is there already. With until_eof
  // nothing would ever make room.
  if (full_ && !file.truncated && remembered == nullptr && !context_.until_eof) return Identity::kNoRoom;
  if (!may_be_known && !at_end) {  // nothing that it could be: no need to look into it yet
    give_content(file, new_content(0, {}));
    return Identity::kKnown;
  }
  if (const auto opened = handles_.open(file); !opened) {
    error = opened.error();
    return Identity::kUnknown;
  }
  // The size after the head: a copy that is under way is at least as long as what was seen of it.
  const Result<std::string> head =
      file.archive ? Result<std::string>(file.archive->head()) : read_head(file.fd.get());
  const Result<FileStatus> status = file_status(file.fd.get());
  if (!status || !head) {
    error = status ? head.error() : status.error();
    return Identity::kUnknown;
  }
  const std::uint64_t size = file.archive ? file.archive->size_bytes() : status->size_bytes;
  file.size_known = size;

  if (remembered != nullptr) {
    Remembered& known = *remembered;
    const bool born_together = same_birth(known.record.birth_ns, file.birth_ns);
    if (auto content = born_together ? revive(file, known, *head, size) : nullptr) {
      const bool finished = known.record.finished;
      placeless_.forget(known);
      give_content(file, std::move(content));
      file.finished_copy = finished;
      record(file, *file.content, false);
      return Identity::kKnown;
    }
    if (unseen_) return Identity::kVerify;
    // Truncated or replaced while nobody looked: its old content may turn up as a copy, and it may itself be
    // the copy of another.
    suspect_loss(known, now);
    placeless_.vanish(known);
    file.truncated = born_together;
    if (!file.archive) {  // one may hold the very file whose inode it got
      context_.log.info(context_.name, "{} was truncated or replaced since the last run", file.path());
    }
  }

  if (error = settle_owners(file, *head, now); error) return Identity::kUnknown;
  if (const auto opened = handles_.open(file); !opened) {  // an owner may have taken its handle
    error = opened.error();
    return Identity::kUnknown;
  }
  if (head->empty()) {
    if (!at_end) return Identity::kEmpty;
  } else if (adopt_ghost(file, *head, size)) {
    return Identity::kKnown;
  } else if (const std::uint64_t end = end_in_copy(file, *head, size); end > 0) {
    give_content(file, new_content(end, read_seam(file, end)));
    note_before(file.content->id, {}, end, "copied");
    return Identity::kKnown;
  } else if (file.held_for == 0 || now < file.held_until) {
    const Result<TailedFile*> original = find_original(file, *head, size);
    if (!original) {
      error = original.error();
      return Identity::kUnknown;
    }
    if (*original != nullptr) {
      if (file.held_for == 0) {
        file.held_until = now + kHoldMax;
        held_.push_back(file.token);
      }
      file.held_for = (*original)->token;
      return Identity::kHeld;
    }
    if (file.content) return Identity::kKnown;  // the original had just been truncated
  }
  if (unseen_) return Identity::kVerify;
  give_content(file, new_content(at_end ? size : 0, at_end ? read_seam(file, size) : Seam{}));
  file.content->nuls_may_lead = began_by_truncation(file);
  if (at_end && size > 0) {
    // Recorded at once: the next start must go on from here, whatever is written until then.
    file.content->prefix = {static_cast<std::uint32_t>(head->size()), hash_bytes(*head)};
    live_.add(file.content->prefix, &file);
    record(file, *file.content, false);
    note_before(file.content->id, {}, size, "start_at_end");
    for (const CursorRef& cursor : file.content->cursors) cursor->ledger().note(cursor);
  }
  return Identity::kKnown;
}

std::shared_ptr<LogContent> FileCatalog::revive(TailedFile& file, Remembered& remembered,
                                                std::string_view head, std::uint64_t size_bytes) {
  const Prefix prefix = remembered.prefix();
  if (head.size() < prefix.bytes) return nullptr;
  const CursorRecord* leader = remembered.leader();
  const std::string_view known_head = head.substr(0, prefix.bytes);
  if (prefix.bytes > 0 && hash_bytes(known_head) != prefix.hash) {
    // What was read may have been given back by a hole: the bytes before the position decide.
    const bool is_hole = known_head.find_first_not_of('\0') == known_head.npos;
    if (!is_hole || remembered.key() != file.key || leader == nullptr || leader->offset < prefix.bytes)
      return nullptr;
  }
  if (remembered.record.finished) {
    if (size_bytes != remembered.record.size_bytes) return nullptr;
  } else if (leader != nullptr &&
             (size_bytes < leader->offset ||
              !matches_before(file, leader->offset, leader->seam_bytes, leader->seam_hash))) {
    return nullptr;
  }
  auto content = remembered.live;
  if (!content) {
    content = std::make_shared<LogContent>();
    content->id = remembered.record.id;
    content->received_to = remembered.offset_max();
    content->cursors.resize(context_.outlets.size());
  }
  content->prefix = prefix;
  content->gone_ns = 0;
  content->recorded = content->revived = true;
  if (!content->recorded_as && keeps_names())
    content->recorded_as = std::make_unique<std::string>(remembered.record.path);
  content->nuls_may_lead = remembered.offset_max() == 0 && began_by_truncation(file);
  for (std::size_t i = 0; i < content->cursors.size(); ++i) {
    if (content->cursors[i]) continue;
    const Outlet& outlet = context_.outlets[i];
    const auto own = std::find_if(remembered.cursors.begin(), remembered.cursors.end(),
                                  [&](const CursorRecord& cursor) { return cursor.sink == outlet.sink; });
    // A sink that is new starts where its source is (semantics 12).
    const std::uint64_t offset = own != remembered.cursors.end() ? own->offset : remembered.offset_max();
    const Seam seam = read_seam(file, offset);
    if (own != remembered.cursors.end()) {
      content->cursors[i] = CursorRef(new Cursor(*outlet.ledger, content->id, offset, seam,
                                                 {own->begin, own->delivered_bytes, own->delivered_events}));
      continue;
    }
    content->cursors[i] = CursorRef(new Cursor(*outlet.ledger, content->id, offset, seam));
    outlet.ledger->note(content->cursors[i]);
    note_before(content->id, outlet.sink, offset, "sink_added");
  }
  return content;
}

void FileCatalog::suspect_loss(const Remembered& remembered, TimePoint now) {
  const FileRecord& file = remembered.record;
  if (file.finished) return;
  const std::vector<Unread> sinks = unread_of(remembered);
  FileRange unread{file.size_bytes, file.size_bytes};
  for (const Unread& sink : sinks) unread.begin = std::min(unread.begin, sink.begin);
  losses_.suspect({file.id, file.path, unread, 0, "deleted", sinks}, now);
}

std::vector<Unread> FileCatalog::unread_of(const Remembered& remembered) const {
  std::vector<Unread> unread;
  for (const Outlet& outlet : context_.outlets) {
    std::uint64_t begin = remembered.offset_max();
    for (const CursorRecord& cursor : remembered.cursors) {
      if (cursor.sink == outlet.sink) begin = cursor.offset;
    }
    for (const Unread& lost : remembered.lost_to) {
      if (lost.sink.empty() || lost.sink == outlet.sink) begin = std::max(begin, lost.begin);
    }
    unread.push_back({outlet.sink, begin});
  }
  return unread;
}

void FileCatalog::note_before(std::uint64_t file_id, const std::string& sink, std::uint64_t offset,
                              std::string_view reason) {
  if (offset == 0) return;
  records_.put_range(
      {file_id, sink, 0, offset, RangeKind::kSkipped, std::string(reason), offset, 0, wall_now_ns()});
}

// The content of its inode that was read before is gone: a writer without O_APPEND leaves a hole.
bool FileCatalog::began_by_truncation(const TailedFile& file) const {
  if (file.archive) return false;
  return file.truncated || placeless_.had_gone_from(file.key, file.birth_ns);
}

// A copy was made while there was something to copy (semantics 4). An archive is made of a copy, and so may
// be younger.
bool FileCatalog::may_be_copy(const TailedFile& file, std::int64_t gone_ns) {
  return file.archive || file.birth_ns == 0 || file.birth_ns < gone_ns;
}

// Where that cannot be told, what is short and equal (a service's first line) is rather read twice than not.
bool FileCatalog::may_be_copy(const TailedFile& file, const Remembered& remembered) {
  if (remembered.vanished) {
    if (remembered.record.prefix_bytes < Prefix::kBytesMax) return file.archive != nullptr;
    if (file.first_scan) return true;  // both were before this start, whatever the clock says now
  }
  return may_be_copy(file, remembered.record.updated_ns);
}

// It was in this place until a truncation: what is there now was written anew, if it is the same.
bool FileCatalog::is_own_past(const TailedFile& file, const Remembered& remembered) {
  const FileRecord& record = remembered.record;
  return file.truncated && remembered.key() == file.key && same_birth(record.birth_ns, file.birth_ns);
}

bool FileCatalog::adopt_ghost(TailedFile& file, std::string_view head, std::uint64_t size_bytes) {
  for (LogContent* ghost : placeless_.ghosts_alike(head)) {
    const std::uint64_t offset = ghost->fed_max();
    const Seam& seam = ghost->fed_max_seam();
    if (ghost->cut_from == file.token || !may_be_copy(file, ghost->gone_ns)) continue;
    // Not by its size when it was looked at first: it may have been under way, and is whole since the
    // original is truncated.
    if (!matches_before(file, offset, seam)) continue;
    std::shared_ptr<LogContent> content = placeless_.take_ghost(*ghost);
    losses_.found(content->id);
    give_content(file, std::move(content));
    record(file, *file.content, false);
    return true;
  }
  for (Remembered* known : placeless_.remembered_alike(head)) {
    if (!known->record.gone) continue;  // its own inode may still be found
    if (is_own_past(file, *known) || !may_be_copy(file, *known)) continue;
    auto content = revive(file, *known, head, size_bytes);
    if (!content) continue;
    const bool finished = known->record.finished;
    losses_.found(known->record.id);
    placeless_.forget(*known);
    give_content(file, std::move(content));
    file.finished_copy = finished;
    record(file, *file.content, false);
    return true;
  }
  return false;
}

// A content of the last run whose inode was found again is there, or gone, only when that file has been
// looked at: it may stand behind `file`, which may be its copy, in the queue.
std::optional<Error> FileCatalog::settle_owners(const TailedFile& file, std::string_view head,
                                                TimePoint now) {
  std::vector<TailedFile*> owners;
  for (Remembered* known : placeless_.remembered_alike(head)) {
    if (known->record.gone) continue;
    const auto owner = by_key_.find(known->key());
    if (owner == by_key_.end() || owner->second == &file) continue;
    if (!same_birth(known->record.birth_ns, owner->second->birth_ns)) {  // the inode was freed and used again
      suspect_loss(*known, now);
      placeless_.vanish(*known);
    } else if (!owner->second->archive_name) {
      owners.push_back(owner->second);
    }
  }
  for (TailedFile* owner : owners) {
    std::optional<Error> error;
    if (identify(*owner, now, error) == Identity::kUnknown && is_shortage(*error)) return error;
    // Another error is reported at the owner's turn.
  }
  return std::nullopt;
}

// -- Copies -----------------------------------------------------------------------------------------------

bool FileCatalog::holds_on(TailedFile& file, TimePoint now) {
  if (file.content) return false;
  if (now < file.held_until) return true;
  if (file.held_until == TimePoint{}) return false;
  // A file that is deleted is read to its end before its content goes on in the copy; one that an archive is
  // made of may also have been moved away.
  const TailedFile* original = get(file.held_for);
  if (original == nullptr) return false;
  const bool leaves = original->place == TailedFile::Place::kDeleted ||
                      (file.archive && original->place == TailedFile::Place::kMoved);
  if (!leaves) return false;
  file.held_until = now + kHoldAgain;
  return true;
}

// A copy was made of a file before it was deleted, and was looked at first: it is read there. How much of
// `file` it holds; 0: none.
std::uint64_t FileCatalog::end_in_copy(TailedFile& file, std::string_view head, std::uint64_t size_bytes) {
  if (file.place != TailedFile::Place::kDeleted || file.birth_ns == 0 || file.archive) return 0;
  for (TailedFile* copy : live_.find(head)) {
    if (copy == &file || !copy->content) continue;
    if (copy->birth_ns <= file.birth_ns || !may_be_copy(*copy, file.deleted_ns)) continue;
    if (!handles_.open(*copy) || !handles_.open(file)) continue;
    const Result<FileStatus> status = file_status(copy->fd.get());
    if (!status || !equal_so_far(file, *copy, size_bytes)) continue;
    return std::min(size_bytes, copy->archive ? copy->archive->size_bytes() : status->size_bytes);
  }
  return 0;
}

Result<TailedFile*> FileCatalog::find_original(TailedFile& file, std::string_view head,
                                               std::uint64_t size_bytes) {
  for (TailedFile* original : live_.find(head)) {
    if (original == &file || !original->content || original->content->fed_max() == 0) continue;
    // Of two files that one scan found, neither is the newer one, unless one is known from the last run.
    if (file.first_scan && original->first_scan && !original->content->revived) continue;
    if (original->deleted_ns != 0 && !may_be_copy(file, original->deleted_ns)) continue;
    const std::shared_ptr<LogContent> content = original->content;
    for (TailedFile* compared : {original, &file}) {
      const auto opened = handles_.open(*compared);
      if (opened) continue;
      if (is_shortage(opened.error())) return opened.error();
      if (compared == original && opened.error().code == Errc::kNotFound) {
        // It has just been deleted while its handle was lent; discovery is about to say so, and then it is
        // known where it goes on.
        file.verified_to = 0;
        return original;
      }
    }
    if (equal_so_far(file, *original, size_bytes)) return original;
    if (original->content != content) {  // it was found truncated, and this one may be what it held
      if (file.content || adopt_ghost(file, head, size_bytes)) break;
    }
  }
  return nullptr;
}

// Whether the bytes that were read of `file` are no longer in it: it may have grown again since it was cut.
bool FileCatalog::is_cut(TailedFile& file) {
  if (file.archive) return false;
  const Result<FileStatus> status = file_status(file.fd.get());
  if (!status) return false;
  const std::uint64_t read_to = file.content->fed_max();
  return status->size_bytes < read_to || !matches_before(file, read_to, file.content->fed_max_seam());
}

bool FileCatalog::equal_so_far(TailedFile& copy, TailedFile& original, std::uint64_t copy_size) {
  if (!original.fd.valid() || !copy.fd.valid()) return false;
  const Result<FileStatus> status = file_status(original.fd.get());
  if (!status) return false;
  bool equal = false;
  if (copy.archive) {
    equal = archive_equal_so_far(copy, original);
  } else if (original.archive) {
    copy.verified_to = 0;
    equal = matches_before(copy, original.content->fed_max(), original.content->fed_max_seam());
  } else {
    const std::uint64_t end = std::min(copy_size, status->size_bytes);
    const Seam a = read_seam(copy, end);
    equal = end > 0 && a.size() > 0 && a.view() == read_seam(original, end).view();
    if (equal) copy.verified_to = end;
  }
  // Asked last: the truncation may come at any moment, and what was compared is worth nothing after it.
  if (!is_cut(original)) return equal;
  truncated(original);
  return false;
}

// A copy was there before the truncation: discovery has told of it, and it waits to be looked at, or is held.
bool FileCatalog::has_possible_copies() const {
  return files_.any_of([](const TailedFile& file) {
    return !file.content && !file.ignored &&
           (file.queued || file.waiting || file.held_for != 0 || file.size_known > 0);
  });
}

void FileCatalog::truncated(TailedFile& file) {
  const std::shared_ptr<LogContent> content = file.content;
  const std::uint64_t read_to = content->fed_max() + file.partial_bytes;
  const Loss loss{content->id,        file.path(), {content->fed_min(), std::max(file.size_known, read_to)},
                  file.partial_bytes, "truncated", logflume::unread_of(*content)};
  if (loss.range.end > loss.range.begin) keep_record(file);
  if (has_possible_copies()) {
    losses_.suspect(loss, steady_now());
  } else {
    losses_.certain(loss);
  }
  live_.remove(content->prefix, &file);
  if (file.archive) {
    give_content(file, new_content(0, {}));
  } else {
    take_content(file);  // what is there now may be a copy of another file: identify() tells
    file.truncated = true;
    file.first_scan = false;  // start_at was for what it held before
    content->cut_from = file.token;
  }
  file.size_known = std::max(file.size_known, read_to);  // of what is buried
  // By the clock that made the time of birth of a copy, which need not be ours; or by ours, which is later
  // where both are the same: it was seen now. The size changes before the time does: this call waits for the
  // truncation to be over where it is under way (it takes the inode's lock).
  (void)::lseek(file.fd.get(), 0, SEEK_HOLE);
  const Result<FileStatus> status = file_status(file.fd.get());
  bury(content, file, std::max(status ? status->changed_ns + 1 : 0, wall_now_ns()));
  file.size_known = 0;
  pass_to_copy(file, content);
}

// `content` is no longer where it was: should a copy be found, it goes on there.
void FileCatalog::bury(std::shared_ptr<LogContent> content, const TailedFile& place, std::int64_t gone_ns) {
  if (content->fed_max() == 0) {  // nothing that a copy could continue
    content->gone_ns = gone_ns;
    if (!content->recorded) return;
    if (place.size_known == 0) {
      records_.remove(content->id);
    } else {
      record(place, *content, true);  // what is lost of it is to be known
    }
    return;
  }
  content->gone_ns = gone_ns;
  if (content->recorded) record(place, *content, true);
  placeless_.add_ghost(std::move(content));
}

void FileCatalog::pass_to_copy(TailedFile& original, const std::shared_ptr<LogContent>& content) {
  for (const FileToken token : held_) {
    TailedFile* copy = get(token);
    if (copy == nullptr || copy->content || copy->held_for != original.token || !copy->fd.valid()) continue;
    const Result<FileStatus> status = file_status(copy->fd.get());
    if (!status) continue;
    const std::uint64_t offset = content->fed_max();
    const Seam& seam = content->fed_max_seam();
    if (copy->archive && copy->archive->stage() != Archive::Stage::kComplete) continue;
    const std::uint64_t size = copy->archive ? copy->archive->size_bytes() : status->size_bytes;
    const bool longer = size >= offset;
    unseen_ = false;
    const bool equal = longer ? matches_before(*copy, offset, seam) : size == copy->verified_to;
    if (unseen_)
      copy->held_until = {};  // it is decoded once more, up to what was read of the original at last
    if (!equal) continue;
    (void)placeless_.take_ghost(*content);
    content->gone_ns = 0;
    losses_.found(content->id);
    give_content(*copy, content);
    copy->size_known = size;
    copy->finished_copy = !longer;
    record(*copy, *content, false);
    return;
  }
}

void FileCatalog::about_to_feed(TailedFile& file) {
  if (file.content->recorded) return;
  record(file, *file.content, false);
  // A cursor for every sink, those that have acknowledged nothing included: a sink without one would count as
  // new at the next start, and begin where the others are.
  for (const CursorRef& cursor : file.content->cursors) cursor->ledger().note(cursor);
}

void FileCatalog::keep_record(TailedFile& file) {
  if (!file.content->recorded) record(file, *file.content, true);
}

void FileCatalog::fed(TailedFile& file, FileRange range) {
  LogContent& content = *file.content;
  const bool grows = content.prefix.bytes < Prefix::kBytesMax && range.end > content.prefix.bytes;
  if (grows) {
    const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(Prefix::kBytesMax, range.end));
    const Result<std::string> head = file.archive ? Result<std::string>(file.archive->head().substr(0, bytes))
                                                  : read_head(file.fd.get(), bytes);
    if (head && head->size() == bytes) {
      live_.remove(content.prefix, &file);
      content.prefix = {static_cast<std::uint32_t>(bytes), hash_bytes(*head)};
      live_.add(content.prefix, &file);
    }
  }
  if (grows) record(file, content, false);
}

void FileCatalog::forget(TailedFile& file) {
  handles_.close(file);
  if (const std::shared_ptr<LogContent> content = file.content) {
    live_.remove(content->prefix, &file);
    --contents_;
    bury(content, file, file.deleted_ns != 0 ? file.deleted_ns : wall_now_ns());
    pass_to_copy(file, content);
  } else if (Remembered* known = placeless_.remembered_in(file.key);
             known != nullptr && same_birth(known->record.birth_ns, file.birth_ns)) {
    // It went before its first turn since the start: a copy goes on where the last run was.
    suspect_loss(*known, steady_now());
    placeless_.vanish(*known);
  }
  by_key_.erase(file.key);
  files_.remove(file.token);
}

FileRecord FileCatalog::record_of(const TailedFile& file, const LogContent& content, bool gone) const {
  FileRecord record;
  record.id = content.id;
  record.source = context_.name;
  record.path = file.path();
  record.device = file.key.device;
  record.inode = file.key.inode;
  record.birth_ns = file.birth_ns;
  record.prefix_bytes = content.prefix.bytes;
  record.prefix_hash = content.prefix.hash;
  record.gone = gone;
  record.finished = file.finished_copy;
  record.size_bytes = file.size_known;
  record.updated_ns = content.gone_ns != 0 ? content.gone_ns : wall_now_ns();
  return record;
}

// A hundred bytes a file, for an audit that is off by default.
bool FileCatalog::keeps_names() const { return context_.journal != nullptr && context_.journal->enabled(); }

void FileCatalog::record(const TailedFile& file, LogContent& content, bool gone) {
  content.recorded = true;
  if (!keeps_names()) {
    content.recorded_as.reset();
  } else if (!content.recorded_as || *content.recorded_as != file.path()) {
    if (content.recorded_as) context_.journal->note_name({content.id, *content.recorded_as, wall_now_ns()});
    content.recorded_as = std::make_unique<std::string>(file.path());
  }
  records_.put(record_of(file, content, gone));
}

// -- What others ask --------------------------------------------------------------------------------------

void FileCatalog::in_flight(std::span<const FileRecord> files, std::vector<InFlight>& found) const {
  const auto add = [&](const LogContent& content, std::uint64_t size_bytes) {
    for (const CursorRef& cursor : content.cursors) {
      if (cursor) found.push_back({content.id, cursor->ledger().sink(), cursor->fed_offset, size_bytes});
    }
  };
  std::unordered_set<std::uint64_t> elsewhere;
  for (const FileRecord& record : files) {
    if (record.source != context_.name) continue;
    const auto file = by_key_.find({record.device, record.inode});
    if (file != by_key_.end() && file->second->content && file->second->content->id == record.id) {
      add(*file->second->content, file->second->size_known);
    } else if (const auto* known = placeless_.find_known(record.id)) {
      if (known->live) add(*known->live, 0);
    } else {
      elsewhere.insert(record.id);
    }
  }
  if (elsewhere.empty()) return;
  for (const std::shared_ptr<LogContent>& ghost : placeless_.ghosts()) {
    if (elsewhere.contains(ghost->id)) add(*ghost, 0);
  }
}

// -- Stop -------------------------------------------------------------------------------------------------

void FileCatalog::record_unread() {
  files_.for_each([this](TailedFile& file) {
    if (!file.content || !file.content->recorded || file.size_known <= file.content->fed_min()) return;
    record(file, *file.content, false);
  });
}

}  // namespace logflume
