#include "simulation/model_source.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

namespace logflume {
namespace {

constexpr std::size_t kReadBytesMax = 4096;

std::uint64_t whole_bytes(const LogFile& log) { return log.bytes.rfind('\n') + 1; }

}  // namespace

void ModelSource::open(const CheckpointContent& stored) {
  for (const FileRecord& record : stored.files) {
    LogFile& log = context_.logs.file(record.inode);
    adopt(log, record.id);
    seen_ = std::max<std::size_t>(seen_, record.inode);
    File& file = files_.back();
    for (std::size_t i = 0; i < context_.outlets.size(); ++i) {
      const Outlet& outlet = context_.outlets[i];
      for (const CursorRecord& cursor : stored.cursors) {
        if (cursor.file_id != record.id || cursor.sink != outlet.sink) continue;
        file.cursors[i] = CursorRef(new Cursor(*outlet.ledger, record.id, cursor.offset, Seam{}));
      }
    }
  }
  // Those that no checkpoint tells of, among the ones that were seen before.
  for (const auto& log : context_.logs.files()) {
    const bool known =
        std::any_of(files_.begin(), files_.end(), [&](const File& file) { return file.log == log.get(); });
    if (!known && log->number <= seen_ && !log->deleted) adopt(*log, 0);
  }
}

// `id` 0: a new one.
void ModelSource::adopt(LogFile& log, std::uint64_t id) {
  File file;
  file.id = id != 0 ? id : context_.next_file_id();
  file.log = &log;
  auto origin = std::make_shared<Origin>();
  origin->source = "app";
  origin->path = log.path;
  origin->file_id = file.id;
  file.origin = std::move(origin);
  for (const Outlet& outlet : context_.outlets) {
    file.cursors.push_back(CursorRef(new Cursor(*outlet.ledger, file.id, 0, Seam{})));
  }
  if (id == 0) {
    FileRecord record;
    record.id = file.id;
    record.source = "app";
    record.path = log.path;
    record.device = 1;
    record.inode = log.number;
    news_.files.push_back(std::move(record));
    for (const CursorRef& cursor : file.cursors) cursor->ledger().note(cursor);
    context_.mark_dirty();
  }
  files_.push_back(std::move(file));
}

void ModelSource::find_new() {
  const auto& logs = context_.logs.files();
  for (; seen_ < logs.size(); ++seen_) {
    if (!logs[seen_]->deleted) adopt(*logs[seen_], 0);
  }
}

void ModelSource::forget_done() {
  std::erase_if(files_, [&](const File& file) {
    const bool done = std::all_of(file.cursors.begin(), file.cursors.end(), [&](const CursorRef& cursor) {
      return cursor->acked_offset() >= file.log->bytes.size();
    });
    if (!file.log->deleted || !done) return false;
    news_.removed_files.push_back(file.id);
    context_.mark_dirty();
    return true;
  });
}

void ModelSource::collect(CheckpointChanges& changes) {
  std::move(news_.files.begin(), news_.files.end(), std::back_inserter(changes.files));
  std::move(news_.removed_files.begin(), news_.removed_files.end(),
            std::back_inserter(changes.removed_files));
  news_ = {};
}

bool ModelSource::exhausted() const {
  return seen_ == context_.logs.files().size() &&
         std::all_of(files_.begin(), files_.end(), [](const File& file) {
           return file.log->deleted ||
                  std::all_of(file.cursors.begin(), file.cursors.end(), [&](const CursorRef& cursor) {
                    return cursor->fed_offset >= whole_bytes(*file.log);
                  });
         });
}

std::size_t ModelSource::do_work(TimePoint now) {
  if (stopped_) return 0;
  find_new();
  if (context_.random.chance(0.1)) forget_done();
  std::size_t fed = 0;
  const std::size_t first = files_.empty() ? 0 : context_.random.below(files_.size());
  for (std::size_t i = 0; i < files_.size(); ++i) {
    File& file = files_[(first + i) % files_.size()];
    for (std::size_t outlet = 0; outlet < context_.outlets.size(); ++outlet) {
      if (feed(file, outlet, now)) ++fed;
    }
    if (fed >= 4) break;
  }
  return fed;
}

bool ModelSource::feed(File& file, std::size_t index, TimePoint now) {
  const Outlet& outlet = context_.outlets[index];
  CursorRef& cursor = file.cursors[index];
  const std::uint64_t end = whole_bytes(*file.log);
  if (file.log->deleted || cursor->fed_offset >= end) return false;
  const bool live = Lanes::may_go_live(*cursor) && outlet.has_room_for_live() && context_.random.chance(0.5);
  if (!live && (!outlet.ledger->has_room() || !outlet.lane_has_room())) return false;

  const std::uint64_t begin = cursor->fed_offset;
  std::string_view text(file.log->bytes.data() + begin, end - begin);
  const std::size_t wanted = context_.random.between(1, kReadBytesMax);
  if (text.size() > wanted) text = text.substr(0, text.find('\n', wanted) + 1);
  auto* batch = new Batch;
  const BatchRef shared(batch);
  batch->slab = context_.slabs.try_acquire_large(text.size());
  if (!batch->slab) return false;
  std::memcpy(batch->slab->data(), text.data(), text.size());
  batch->data = batch->slab->data();
  batch->bytes = text.size();
  batch->events = static_cast<std::uint32_t>(std::count(text.begin(), text.end(), '\n'));
  batch->origin = file.origin;
  batch->owed = {begin, begin + text.size()};
  batch->seam = Seam::before(text.data() + text.size(), text.size());
  batch->wall_ns = now.time_since_epoch().count();
  batch->read_at = now;
  outlet.ledger->charge(batch->bytes);
  cursor->fed_offset = batch->owed.end;
  cursor->fed_seam = batch->seam;
  outlet.lanes->push(Delivery{shared, cursor}, live);
  return true;
}

}  // namespace logflume
