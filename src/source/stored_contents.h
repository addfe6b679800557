// What the checkpoint store knew at the start, close together: a start with 100,000 files holds all of it at
// once, and lets go of one after the other.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint_store.h"
#include "source/file_identity.h"

namespace logflume {

// Of contents that were in a file when the last run ended. In a few large blocks, not in several small ones a
// content: those would be freed one by one between what stays, and the memory could not be given back.
//
// Lifecycle: add() all, seal(), then the rest.
// Threads:   one.
class StoredContents {
 public:
  struct Content {
    FileRecord record;
    std::vector<CursorRecord> cursors;
  };
  using Row = std::uint32_t;

  // REQUIRES: !record.gone; the source of all is the same.
  void add(const FileRecord& record, std::span<const CursorRecord* const> cursors);
  void seal();

  std::size_t size() const { return left_; }
  // Of those in one inode, the one that was added last.
  std::optional<Row> find(FileKey key) const;
  std::optional<Row> find(std::uint64_t file_id) const;
  // Adds the ids of those whose first bytes `head` begins with, the longest first, at most `found_max`.
  void find_alike(std::string_view head, std::size_t found_max, std::vector<std::uint64_t>& ids) const;
  std::vector<FileKey> keys() const;
  std::vector<std::uint64_t> ids() const;
  // The sink's cursor stood there.
  bool stood_at(Row row, std::string_view sink, std::uint64_t offset) const;
  // It is no longer among them. Rows found before are void.
  Content take(Row row);

 private:
  struct File {
    std::uint64_t id;
    FileKey key;
    std::int64_t birth_ns;
    std::uint64_t prefix_hash;
    std::uint64_t size_bytes;
    std::int64_t updated_ns;
    std::uint64_t path_begin;  // in paths_
    std::uint32_t path_bytes;
    std::uint32_t prefix_bytes;
    std::uint32_t cursors_begin;  // in cursors_
    std::uint32_t cursors;
    bool finished;
    bool taken;
  };
  struct Cursor {
    std::uint32_t sink;  // in sinks_
    std::uint32_t seam_bytes;
    std::uint64_t offset;
    std::uint64_t seam_hash;
    std::uint64_t begin;
    std::uint64_t delivered_bytes;
    std::uint64_t delivered_events;
  };
  void index();
  void compact();
  std::span<const Cursor> cursors_of(const File& file) const {
    return std::span(cursors_).subspan(file.cursors_begin, file.cursors);
  }
  std::uint32_t sink_number(const std::string& sink);

  std::string source_;
  std::vector<std::string> sinks_;
  std::vector<File> files_;  // by id once sealed
  std::vector<Cursor> cursors_;
  std::string paths_;
  std::vector<Row> by_key_;     // one for each inode
  std::vector<Row> by_prefix_;  // by length and hash; those without a prefix are not among them
  std::vector<std::uint32_t> prefix_lengths_;  // ascending, each once
  std::size_t left_ = 0;
};

}  // namespace logflume
