// What a reload asks of the catalog: contents go from one source to the next, sinks come and go.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "source/file_catalog.h"

namespace logflume {
namespace {

CursorRecord fed_record(const Cursor& cursor, const std::string& sink) {
  const Seam& seam = cursor.fed_seam;
  return {cursor.file_id(), sink, cursor.fed_offset, seam.size(), hash_bytes(seam.view())};
}

}  // namespace

// -- From one source to the next --------------------------------------------------------------------------

SourceLegacy FileCatalog::hand_over() {
  SourceLegacy legacy;
  const auto add = [&](FileRecord record, std::shared_ptr<LogContent> content, bool vanished) {
    std::vector<CursorRecord> cursors;
    for (std::size_t i = 0; i < content->cursors.size(); ++i) {
      cursors.push_back(fed_record(*content->cursors[i], context_.outlets[i].sink));
    }
    legacy.contents.push_back({std::move(record), std::move(cursors), std::move(content), vanished});
  };
  files_.for_each([&](const TailedFile& file) {
    if (file.content && file.content->recorded)
      add(record_of(file, *file.content, false), file.content, false);
    if (!file.fd.valid()) return;
    legacy.files.push_back({file.key.device, file.key.inode, file.birth_ns, file.path(),
                            file.place == TailedFile::Place::kNamed,
                            UniqueFd(::fcntl(file.fd.get(), F_DUPFD_CLOEXEC, 0))});
  });
  for (const std::shared_ptr<LogContent>& ghost : placeless_.ghosts()) {
    FileRecord record;  // where it was only the store knows
    record.id = ghost->id;
    record.source = context_.name;
    record.prefix_bytes = ghost->prefix.bytes;
    record.prefix_hash = ghost->prefix.hash;
    record.gone = true;
    record.updated_ns = ghost->gone_ns;
    add(std::move(record), ghost, false);
  }
  placeless_.for_each_remembered([&](const Remembered& remembered) {
    legacy.contents.push_back({remembered.record, remembered.cursors, remembered.live, remembered.vanished});
  });
  return legacy;
}

void FileCatalog::inherit_contents(const SourceLegacy& legacy, const CheckpointContent& stored) {
  std::unordered_map<std::uint64_t, const FileRecord*> records;
  for (const FileRecord& record : stored.files) records[record.id] = &record;
  std::unordered_map<std::uint64_t, std::vector<const CursorRecord*>> stored_cursors;
  for (const CursorRecord& cursor : stored.cursors) stored_cursors[cursor.file_id].push_back(&cursor);

  for (const SourceLegacy::Content& content : legacy.contents) {
    FileRecord record = content.record;
    record.source = context_.name;
    if (const auto known = records.find(record.id); record.path.empty() && known != records.end()) {
      record = *known->second;
      record.source = context_.name;
      record.gone = true;
    }
    std::vector<CursorRecord> cursors = content.cursors;
    for (const Outlet& outlet : context_.outlets) {
      for (CursorRecord& cursor : cursors) {
        if (!outlet.formerly.empty() && cursor.sink == outlet.formerly) cursor.sink = outlet.sink;
      }
    }
    // Of sinks that this source did not feed until now, and may have fed before.
    for (const CursorRecord* cursor : stored_cursors[record.id]) {
      const bool known = std::any_of(cursors.begin(), cursors.end(),
                                     [&](const CursorRecord& other) { return other.sink == cursor->sink; });
      if (!known) cursors.push_back(*cursor);
    }
    if (content.live) map_cursors(*content.live);
    Remembered* remembered = placeless_.remember(std::move(record), std::move(cursors), content.live);
    if (remembered != nullptr) remembered->vanished = content.vanished;
  }
}

// In the order of our outlets: the cursors that their sinks are about to acknowledge, or successors of those
// whose sinks have ended.
void FileCatalog::map_cursors(LogContent& content) const {
  const std::vector<CursorRef> before = std::exchange(content.cursors, {});
  content.cursors.resize(context_.outlets.size());
  for (std::size_t i = 0; i < context_.outlets.size(); ++i) {
    const Outlet& outlet = context_.outlets[i];
    for (const CursorRef& cursor : before) {
      if (!cursor) continue;
      const std::string& sink = cursor->ledger().sink();
      if (&cursor->ledger() == outlet.ledger) {
        content.cursors[i] = cursor;
      } else if (sink == outlet.sink || sink == outlet.formerly) {
        content.cursors[i] = cursor->continued_by(*outlet.ledger);
        outlet.ledger->note(content.cursors[i]);
      }
    }
  }
}

std::vector<TailedFile*> FileCatalog::inherit(const SourceLegacy& legacy, TimePoint now) {
  std::vector<TailedFile*> inherited;
  for (const SourceLegacy::OpenFile& open : legacy.files) {
    const FileKey key{open.device, open.inode};
    if (by_key_.contains(key)) continue;  // it has a name, or another file has its inode
    struct stat there {};
    if (open.named && ::stat(open.path.c_str(), &there) == 0 && there.st_dev == key.device &&
        there.st_ino == key.inode) {
      continue;  // the new configuration does not want it
    }
    UniqueFd fd(::fcntl(open.fd.get(), F_DUPFD_CLOEXEC, 0));
    const Result<FileStatus> status = fd.valid() ? file_status(fd.get()) : errno_error("duplicate a handle");
    if (!status) {
      context_.log.error(context_.name, "{}: {}: what was not read of it is lost by this reload", open.path,
                         status.error().text());
      continue;
    }
    TailedFile& file =
        found({open.path, key.device, key.inode, open.birth_ns, status->size_bytes, status->modified_ns},
              false, now);
    handles_.adopt(file, std::move(fd));
    lost(file, open.path, {}, now);
    inherited.push_back(&file);
  }
  return inherited;
}

// -- Sinks that come and go -------------------------------------------------------------------------------

template <typename Visit>
void FileCatalog::for_each_content(Visit visit) {
  files_.for_each([&](TailedFile& file) {
    if (file.content) visit(*file.content, &file);
  });
  for (const std::shared_ptr<LogContent>& ghost : placeless_.ghosts()) visit(*ghost, nullptr);
  placeless_.for_each_known([&](const Remembered& remembered) {  // the others are only in the store
    if (remembered.live) visit(*remembered.live, nullptr);
  });
}

void FileCatalog::outlet_replaced(std::size_t index) {
  const Outlet& outlet = context_.outlets[index];
  for_each_content([&](LogContent& content, TailedFile*) {
    CursorRef& cursor = content.cursors[index];
    if (!cursor) return;
    cursor = cursor->continued_by(*outlet.ledger);
    if (content.recorded) outlet.ledger->note(cursor);
  });
  placeless_.for_each_remembered([&](Remembered& remembered) {
    for (CursorRecord& cursor : remembered.cursors) {
      if (!outlet.formerly.empty() && cursor.sink == outlet.formerly) cursor.sink = outlet.sink;
    }
  });
}

void FileCatalog::outlet_added(const CheckpointContent& stored) {
  const Outlet& outlet = context_.outlets.back();
  std::unordered_map<std::uint64_t, const CursorRecord*> own;
  for (const CursorRecord& cursor : stored.cursors) {
    if (cursor.sink == outlet.sink) own[cursor.file_id] = &cursor;
  }
  const auto parked = parked_.find(outlet.sink);
  for_each_content([&](LogContent& content, TailedFile* file) {
    if (parked != parked_.end()) {
      if (const auto it = parked->second.find(content.id); it != parked->second.end()) {
        content.cursors.push_back(it->second);
        return;
      }
    }
    const auto known = own.find(content.id);
    std::uint64_t offset = known != own.end() ? known->second->offset : 0;
    Seam seam;
    if (known == own.end() && !content.cursors.empty()) {
      // A sink that is new starts where its source is (semantics 12).
      offset = content.fed_max();
      seam = content.fed_max_seam();
    } else if (file != nullptr && handles_.open(*file)) {
      seam = read_seam(*file, offset);
    }
    if (known != own.end()) {
      const CursorRecord& before = *known->second;
      content.cursors.emplace_back(
          new Cursor(*outlet.ledger, content.id, offset, seam,
                     {before.begin, before.delivered_bytes, before.delivered_events}));
    } else {
      content.cursors.emplace_back(new Cursor(*outlet.ledger, content.id, offset, seam));
      note_before(content.id, outlet.sink, offset, "sink_added");
    }
    if (content.recorded) outlet.ledger->note(content.cursors.back());
  });
  if (parked != parked_.end()) parked_.erase(parked);
  placeless_.for_each_remembered([&](Remembered& remembered) {
    const auto known = own.find(remembered.record.id);
    if (known != own.end()) remembered.cursors.push_back(*known->second);
  });
}

void FileCatalog::outlet_removed(std::size_t index) {
  auto& parked = parked_[context_.outlets[index].sink];
  for_each_content([&](LogContent& content, TailedFile*) {
    const auto at = content.cursors.begin() + static_cast<std::ptrdiff_t>(index);
    if (*at && (*at)->acked_offset() < (*at)->fed_offset) parked[content.id] = *at;
    content.cursors.erase(at);
  });
  placeless_.for_each_remembered([&](Remembered& remembered) {
    std::erase_if(remembered.cursors,
                  [&](const CursorRecord& cursor) { return cursor.sink == context_.outlets[index].sink; });
  });
}

}  // namespace logflume
