// Who is who among files: tells a rotated file from a new one, a copy from a file of its own, a truncated
// file from one that grew, and keeps the checkpoint store informed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "checkpoint/checkpoint_store.h"
#include "source/discovery.h"
#include "source/file_records.h"
#include "source/file_source_config.h"
#include "source/file_table.h"
#include "source/handle_pool.h"
#include "source/losses.h"
#include "source/placeless_contents.h"
#include "source/prefix_index.h"
#include "source/source.h"
#include "source/tailed_file.h"
#include "source/whereabouts.h"

namespace logflume {

// Threads:   the source's.
// Ownership: owns every TailedFile; one lives until forget().
class FileCatalog {
 public:
  FileCatalog(const FileSourceConfig& config, SourceContext& context, HandlePool& handles,
              FileRecords& records, Losses& losses);

  // -- Start ----------------------------------------------------------------------------------------------
  void restore(const CheckpointContent& checkpoint);
  // The first scan is over: files of the source that ran until a reload, which have no matching name any
  // more.
  std::vector<TailedFile*> inherit(const SourceLegacy& legacy, TimePoint now);
  // The first scan is over: what is remembered but was not found is looked for under other names in its
  // directory (semantics 6). Returns the files found so, without a matching name.
  std::vector<TailedFile*> find_rotated(TimePoint now);

  // -- Names ----------------------------------------------------------------------------------------------
  // The inode that a matching name leads to; made when it is new.
  TailedFile& found(const FoundFile& found, bool first_scan, TimePoint now);
  // The last run has read in this inode.
  bool is_remembered(const TailedFile& file) const { return placeless_.was_in(file.key); }
  // It is as long as it was when the last run ended, and every sink had all of it.
  bool looks_settled(const TailedFile& file) const;
  // One of its names is another now.
  void renamed(TailedFile& file, const std::string& old_path, const std::string& new_path);
  // False when the file has no name left: `place` says why.
  bool lost(TailedFile& file, const std::string& path, const Discovery::Departure& departure, TimePoint now);
  // All that one look at the directories found was told.
  void names_settled() { whereabouts_.forget(); }
  TailedFile* get(FileToken token) const { return files_.get(token); }

  // -- Content --------------------------------------------------------------------------------------------
  enum class Identity {
    kKnown,    // it has a content: read it
    kEmpty,    // nothing in it yet that could tell
    kHeld,     // it may be a copy of another file: ask again when that one or this one changes
    kUnknown,  // it could not be opened or read: `error`
    kNoRoom,   // there is no memory for what is to be known of it
    kVerify,   // an archive that is to be decoded once more: something about it was not looked for
  };
  // Finds out which content `file` has, unless it has one. Opens it. REQUIRES of an archive: it is complete.
  Identity identify(TailedFile& file, TimePoint now, std::optional<Error>& error);
  // The head of an archive is known: notes what is to be looked at in the rest, so that it can be identified.
  void note_wanted(TailedFile& file);
  // An archive was verified anew: is what was read of it still there?
  bool holds_content(TailedFile& file);
  // `file` waits still whether it is a copy.
  bool holds_on(TailedFile& file, TimePoint now);
  // The content that was read of `file` is no longer there. A file held for it takes it over; `file` is to be
  // identified anew, unless it is an archive.
  void truncated(TailedFile& file);
  // Records the file before its first bytes are fed: a cursor must not reach the store before its file does.
  void about_to_feed(TailedFile& file);
  // What is lost of `file` is to be known after it is gone.
  void keep_record(TailedFile& file);
  // `range` was fed: extends the prefix while it is short.
  void fed(TailedFile& file, FileRange range);
  // The inode is gone, or no longer of interest. A file held for it takes its content over. `file` is
  // destroyed.
  void forget(TailedFile& file);
  // Files that are held. Each is to be read again when it is no longer, and when its time is up.
  std::vector<FileToken>& held() { return held_; }

  std::size_t size() const { return files_.size(); }
  // Reserves what all that is known of files takes, about, where discovery knows `names`. False when there is
  // no room for one more.
  bool reserve_memory(std::size_t names);
  // As reserve_memory() last found it.
  std::size_t reserved_bytes() const { return memory_.bytes(); }
  // Of those of `files` that are known here.
  void in_flight(std::span<const FileRecord> files, std::vector<InFlight>& found) const;
  // -- Stop -----------------------------------------------------------------------------------------------
  // What is not read yet is known to the next start by its size.
  void record_unread();
  SourceLegacy hand_over();

  // -- Sinks that come and go (source.h) --------------------------------------------------------------------
  // Another sink stands behind the outlet at `index`.
  void outlet_replaced(std::size_t index);
  // The last outlet is new.
  void outlet_added(const CheckpointContent& stored);
  // Before it is erased.
  void outlet_removed(std::size_t index);
  // The sink has ended: what it was about to acknowledge, it never will.
  void sink_ended(const std::string& sink) { parked_.erase(sink); }
  template <typename Visit>
  void for_each(Visit visit) {
    files_.for_each(visit);
  }

 private:
  using Remembered = PlacelessContents::Remembered;

  void inherit_contents(const SourceLegacy& legacy, const CheckpointContent& stored);
  void map_cursors(LogContent& content) const;
  template <typename Visit>
  void for_each_content(Visit visit);
  std::shared_ptr<LogContent> new_content(std::uint64_t offset, const Seam& seam);
  // Null when the file does not hold the remembered content.
  std::shared_ptr<LogContent> revive(TailedFile& file, Remembered& remembered, std::string_view head,
                                     std::uint64_t size_bytes);
  void give_content(TailedFile& file, std::shared_ptr<LogContent> content);
  void take_content(TailedFile& file);
  std::optional<Error> settle_owners(const TailedFile& file, std::string_view head, TimePoint now);
  bool has_possible_copies() const;
  void suspect_loss(const Remembered& remembered, TimePoint now);
  std::vector<Unread> unread_of(const Remembered& remembered) const;
  // The sink comes in at `offset`: what is before it, it is not meant to get.
  void note_before(std::uint64_t file_id, const std::string& sink, std::uint64_t offset,
                   std::string_view reason);
  bool began_by_truncation(const TailedFile& file) const;
  static bool may_be_copy(const TailedFile& file, std::int64_t gone_ns);
  static bool may_be_copy(const TailedFile& file, const Remembered& remembered);
  static bool is_own_past(const TailedFile& file, const Remembered& remembered);
  bool adopt_ghost(TailedFile& file, std::string_view head, std::uint64_t size_bytes);
  std::uint64_t end_in_copy(TailedFile& file, std::string_view head, std::uint64_t size_bytes);
  // Null: there is none. An error: it cannot be told now.
  Result<TailedFile*> find_original(TailedFile& file, std::string_view head, std::uint64_t size_bytes);
  bool is_cut(TailedFile& file);
  bool equal_so_far(TailedFile& copy, TailedFile& original, std::uint64_t copy_size);
  bool archive_equal_so_far(TailedFile& copy, TailedFile& original);
  bool matches_before(TailedFile& file, std::uint64_t offset, std::uint32_t bytes, std::uint64_t hash);
  bool matches_before(TailedFile& file, std::uint64_t offset, const Seam& seam);
  Seam read_seam(TailedFile& file, std::uint64_t offset);
  void bury(std::shared_ptr<LogContent> content, const TailedFile& place, std::int64_t gone_ns);
  void pass_to_copy(TailedFile& original, const std::shared_ptr<LogContent>& content);
  FileRecord record_of(const TailedFile& file, const LogContent& content, bool gone) const;
  bool keeps_names() const;
  void record(const TailedFile& file, LogContent& content, bool gone);

  const FileSourceConfig& config_;
  SourceContext& context_;
  HandlePool& handles_;
  FileRecords& records_;
  Losses& losses_;
  bool inherited_ = false;     // this source goes on with the contents of another one
  bool known_before_ = false;  // this source has run on this data_dir: start_at: end is past
  FileTable files_;
  std::unordered_map<FileKey, TailedFile*, FileKeyHash> by_key_;
  std::size_t contents_ = 0;  // files with one
  Reservation memory_;
  bool full_ = false;
  std::vector<FileToken> held_;
  Whereabouts whereabouts_;
  bool unseen_ = false;  // what an archive holds somewhere was asked for, and nobody had looked there

  PrefixIndex<TailedFile*> live_;
  PlacelessContents placeless_;
  // Cursors of sinks that are connected no more and have not acknowledged all yet, by sink and file id:
  // should one be connected again, it goes on with them.
  std::map<std::string, std::unordered_map<std::uint64_t, CursorRef>> parked_;
};

}  // namespace logflume
