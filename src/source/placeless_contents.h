// Contents that stand in no file at the moment: those that went, and those of the last run that no file has
// been found for yet. A file that is found may hold one of them.
#pragma once

#include <list>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "checkpoint/checkpoint_store.h"
#include "source/file_identity.h"
#include "source/file_records.h"
#include "source/prefix_index.h"
#include "source/stored_contents.h"
#include "source/tailed_file.h"

namespace logflume {

// Threads: the source's.
class PlacelessContents {
 public:
  // A content as the checkpoint store has it, before a file is found that holds it.
  struct Remembered {
    FileRecord record;
    std::vector<CursorRecord> cursors;
    std::vector<Unread> lost_to;  // up to where what became of it is known
    // After a reload, the content as it was read, with a cursor for each outlet; null for one that is new.
    std::shared_ptr<LogContent> live;
    // It went while nobody looked: who was there first, it or what looks like a copy, cannot be told.
    bool vanished = false;

    Prefix prefix() const { return {record.prefix_bytes, record.prefix_hash}; }
    FileKey key() const { return {record.device, record.inode}; }
    std::uint64_t offset_max() const;
    // Of the sink that is furthest; null where there is none.
    const CursorRecord* leader() const;
  };
  // Contents that went: when there are more, the oldest is forgotten.
  static constexpr std::size_t kGhostsMax = 4096;

  explicit PlacelessContents(FileRecords& records) : records_(records) {}

  // -- Of the last run --------------------------------------------------------------------------------------
  // Null when it went so long ago that it is forgotten.
  Remembered* remember(FileRecord record, std::vector<CursorRecord> cursors,
                       std::shared_ptr<LogContent> live);
  // All that the store knows of a source's contents. Those that were in a file are kept apart until somebody
  // asks for them.
  void remember_stored(std::span<const FileRecord* const> records, const std::vector<CursorRecord>& cursors);
  Remembered* find(std::uint64_t file_id);
  // Of those that somebody has asked for.
  const Remembered* find_known(std::uint64_t file_id) const;
  // The one that was in this inode when the last run ended; null: none that has not turned up elsewhere.
  Remembered* remembered_in(FileKey key);
  bool was_in(FileKey key) const { return by_key_.contains(key) || stored_.find(key).has_value(); }
  // The sink had all that was before `offset` of the one that was in this inode.
  bool stood_at(FileKey key, std::string_view sink, std::uint64_t offset) const;
  // Inodes of which was_in() is true.
  std::vector<FileKey> keys() const;
  // Those that `head` begins with.
  std::vector<Remembered*> remembered_alike(std::string_view head);
  // It is no longer in its inode, and so may turn up as a copy.
  void vanish(Remembered& remembered);
  // It was found, and lives in a file.
  void forget(Remembered& remembered);
  // A content that was in this inode was gone before the last run ended.
  bool had_gone_from(FileKey key, std::int64_t birth_ns) const;
  template <typename Visit>
  void for_each_remembered(Visit visit) {
    for (const std::uint64_t id : stored_.ids()) (void)find(id);
    for (auto& [id, remembered] : remembered_) visit(remembered);
  }
  // Those that had gone before the last run ended, or have been asked for.
  template <typename Visit>
  void for_each_known(Visit visit) const {
    for (const auto& [id, remembered] : remembered_) visit(remembered);
  }

  // -- Of this run ------------------------------------------------------------------------------------------
  void add_ghost(std::shared_ptr<LogContent> content);
  std::vector<LogContent*> ghosts_alike(std::string_view head) const { return ghost_index_.find(head); }
  // It goes on in a file. Null when it is no ghost.
  std::shared_ptr<LogContent> take_ghost(const LogContent& content);
  const std::list<std::shared_ptr<LogContent>>& ghosts() const { return ghosts_; }

  // Nothing is there that a file could begin like.
  bool nothing_to_find() const {
    return ghost_index_.empty() && remembered_index_.empty() && stored_.size() == 0;
  }
  std::size_t ghost_count() const { return ghosts_.size(); }
  std::size_t remembered_count() const { return remembered_.size() + stored_.size(); }

 private:
  Remembered* keep(StoredContents::Content content);
  void is_no_longer_in_place(const Remembered& remembered);

  FileRecords& records_;
  std::list<std::shared_ptr<LogContent>> ghosts_;  // oldest first
  PrefixIndex<LogContent*> ghost_index_;
  StoredContents stored_;  // of the last run, what nobody has asked for yet
  std::unordered_map<std::uint64_t, Remembered> remembered_;  // the others, by file id
  std::unordered_map<FileKey, Remembered*, FileKeyHash> by_key_;
  PrefixIndex<Remembered*> remembered_index_;
  // Inodes whose content was gone before the last run ended, and their birth.
  std::unordered_map<FileKey, std::int64_t, FileKeyHash> gone_keys_;
};

}  // namespace logflume
