#include "source/stored_contents.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace logflume {
namespace {

auto order_of(const FileKey& key) { return std::pair(key.device, key.inode); }

}  // namespace

void StoredContents::add(const FileRecord& record, std::span<const CursorRecord* const> cursors) {
  source_ = record.source;
  files_.push_back({record.id,
                    {record.device, record.inode},
                    record.birth_ns,
                    record.prefix_hash,
                    record.size_bytes,
                    record.updated_ns,
                    paths_.size(),
                    static_cast<std::uint32_t>(record.path.size()),
                    record.prefix_bytes,
                    static_cast<std::uint32_t>(cursors_.size()),
                    static_cast<std::uint32_t>(cursors.size()),
                    record.finished,
                    false});
  paths_ += record.path;
  for (const CursorRecord* cursor : cursors) {
    cursors_.push_back({sink_number(cursor->sink), cursor->seam_bytes, cursor->offset, cursor->seam_hash,
                        cursor->begin, cursor->delivered_bytes, cursor->delivered_events});
  }
  ++left_;
}

std::uint32_t StoredContents::sink_number(const std::string& sink) {
  const auto known = std::find(sinks_.begin(), sinks_.end(), sink);
  if (known == sinks_.end()) {
    sinks_.push_back(sink);
    return static_cast<std::uint32_t>(sinks_.size() - 1);
  }
  return static_cast<std::uint32_t>(known - sinks_.begin());
}

void StoredContents::seal() {
  std::stable_sort(files_.begin(), files_.end(), [](const File& a, const File& b) { return a.id < b.id; });
  index();
}

void StoredContents::index() {
  by_key_.resize(files_.size());
  for (std::size_t i = 0; i < files_.size(); ++i) by_key_[i] = static_cast<Row>(i);
  by_prefix_ = by_key_;
  std::stable_sort(by_key_.begin(), by_key_.end(),
                   [this](Row a, Row b) { return order_of(files_[a].key) < order_of(files_[b].key); });
  // Of equal ones the last.
  const auto first = std::unique(by_key_.rbegin(), by_key_.rend(),
                                 [this](Row a, Row b) { return files_[a].key == files_[b].key; });
  by_key_.erase(by_key_.begin(), first.base());
  std::erase_if(by_prefix_, [this](Row row) { return files_[row].prefix_bytes == 0; });
  std::sort(by_prefix_.begin(), by_prefix_.end(), [this](Row a, Row b) {
    const auto order = [](const File& file) {
      return std::tuple(file.prefix_bytes, file.prefix_hash, file.id);
    };
    return order(files_[a]) < order(files_[b]);
  });
  prefix_lengths_.clear();
  for (const Row row : by_prefix_) {
    const std::uint32_t bytes = files_[row].prefix_bytes;
    if (prefix_lengths_.empty() || prefix_lengths_.back() != bytes) prefix_lengths_.push_back(bytes);
  }
}

std::optional<StoredContents::Row> StoredContents::find(FileKey key) const {
  const auto at = std::lower_bound(
      by_key_.begin(), by_key_.end(), key,
      [this](Row row, const FileKey& wanted) { return order_of(files_[row].key) < order_of(wanted); });
  if (at == by_key_.end() || files_[*at].key != key || files_[*at].taken) return std::nullopt;
  return *at;
}

std::optional<StoredContents::Row> StoredContents::find(std::uint64_t file_id) const {
  const auto at = std::lower_bound(files_.begin(), files_.end(), file_id,
                                   [](const File& file, std::uint64_t wanted) { return file.id < wanted; });
  if (at == files_.end() || at->id != file_id || at->taken) return std::nullopt;
  return static_cast<Row>(at - files_.begin());
}

void StoredContents::find_alike(std::string_view head, std::size_t found_max,
                                std::vector<std::uint64_t>& ids) const {
  for (auto length = prefix_lengths_.rbegin(); length != prefix_lengths_.rend(); ++length) {
    if (*length > head.size()) continue;
    const auto wanted = std::pair(*length, hash_bytes(head.substr(0, *length)));
    auto at =
        std::lower_bound(by_prefix_.begin(), by_prefix_.end(), wanted, [this](Row row, const auto& pair) {
          return std::pair(files_[row].prefix_bytes, files_[row].prefix_hash) < pair;
        });
    for (; at != by_prefix_.end(); ++at) {
      const File& file = files_[*at];
      if (std::pair(file.prefix_bytes, file.prefix_hash) != wanted) break;
      if (file.taken) continue;
      if (found_max-- == 0) return;
      ids.push_back(file.id);
    }
  }
}

std::vector<FileKey> StoredContents::keys() const {
  std::vector<FileKey> keys;
  keys.reserve(left_);
  for (const Row row : by_key_) {
    if (!files_[row].taken) keys.push_back(files_[row].key);
  }
  return keys;
}

bool StoredContents::stood_at(Row row, std::string_view sink, std::uint64_t offset) const {
  return std::ranges::any_of(cursors_of(files_[row]), [&](const Cursor& cursor) {
    return cursor.offset == offset && sinks_[cursor.sink] == sink;
  });
}

StoredContents::Content StoredContents::take(Row row) {
  File& file = files_[row];
  Content content;
  FileRecord& record = content.record;
  record.id = file.id;
  record.source = source_;
  record.path = paths_.substr(file.path_begin, file.path_bytes);
  record.device = file.key.device;
  record.inode = file.key.inode;
  record.birth_ns = file.birth_ns;
  record.prefix_bytes = file.prefix_bytes;
  record.prefix_hash = file.prefix_hash;
  record.finished = file.finished;
  record.size_bytes = file.size_bytes;
  record.updated_ns = file.updated_ns;
  content.cursors.reserve(file.cursors);
  for (const Cursor& cursor : cursors_of(file)) {
    content.cursors.push_back({file.id, sinks_[cursor.sink], cursor.offset, cursor.seam_bytes,
                               cursor.seam_hash, cursor.begin, cursor.delivered_bytes,
                               cursor.delivered_events});
  }
  file.taken = true;
  if (--left_ < files_.size() / 4) compact();
  return content;
}

std::vector<std::uint64_t> StoredContents::ids() const {
  std::vector<std::uint64_t> ids;
  ids.reserve(left_);
  for (const File& file : files_) {
    if (!file.taken) ids.push_back(file.id);
  }
  return ids;
}

// Those that stay may stay for ever: files that the globs lead to no more.
void StoredContents::compact() {
  StoredContents rest;
  rest.source_ = source_;
  rest.sinks_ = sinks_;
  rest.left_ = left_;
  rest.files_.reserve(left_);
  for (File file : files_) {
    if (file.taken) continue;
    const std::span<const Cursor> cursors = cursors_of(file);
    file.cursors_begin = static_cast<std::uint32_t>(rest.cursors_.size());
    rest.cursors_.insert(rest.cursors_.end(), cursors.begin(), cursors.end());
    const std::uint64_t path_begin = std::exchange(file.path_begin, rest.paths_.size());
    rest.paths_.append(paths_, path_begin, file.path_bytes);
    rest.files_.push_back(file);
  }
  rest.index();
  *this = std::move(rest);
}

}  // namespace logflume
