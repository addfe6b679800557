// The directories that the globs lead into, and the names in them that match: a picture of the file system
// that is brought up to date name by name (after an event) or directory by directory (a rescan).
//
// Every look follows the same path: what stands behind the name now is compared with what the picture says;
// differences go into NameChanges. Events only say where to look, so their order, their loss and what
// happened since do not matter.
//
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "source/discovery.h"
#include "source/glob.h"
#include "source/name_changes.h"
#include "source/path_status.h"
#include "source/watch_table.h"
#include "telemetry/log.h"

namespace logflume {

// A name that matches, or whose nature had to be asked for.
struct Entry : TokenHolder {
  enum class Kind : std::uint8_t { kFile, kDirectory, kOther };

  std::uint64_t identity = 0;
  std::uint64_t listed_inode = 0;  // as the directory lists it; not that of a mount or a link's target
  std::uint64_t signature = 0;     // of files that are polled
  DirectoryId directory = 0;       // kDirectory: the one behind the name
  int watch = -1;                  // of a link's target, or of a file with several names
  std::uint32_t seen = 0;          // the scan that saw it last
  std::uint32_t reported = 0;      // the read of inotify that reported a change last
  Kind kind = Kind::kOther;
  bool is_link = false;
  bool dirty = false;     // will be looked at
  bool modified = false;  // while it was dirty
};

// Hash and equality that look a std::string_view up without making a std::string.
struct NameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
};
using Names = std::unordered_map<std::string, Entry, NameHash, std::equal_to<>>;

struct Directory {
  DirectoryId id = 0;
  DirectoryId parent = 0;  // 0: this is the root of the file system
  std::string name;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  GlobSet::State include;
  GlobSet::State exclude;
  // The only names that matter here, when they are few: they are looked up, nothing is listed.
  std::optional<std::vector<std::string>> literals;
  bool is_passage = false;  // only leads to directories, by literal names
  std::uint32_t links = 0;  // symbolic links on the way to it, behind the passages
  FileSystemKind file_system = FileSystemKind::kOther;
  bool is_polled = false;
  bool is_unreadable = false;  // the last attempt to list it failed
  bool links_dirty = false;
  std::int64_t listed_ns = 0;  // the directory's changed_ns when it was listed; 0: list it again
  std::uint32_t link_count = 0;
  std::uint32_t waiting = 0;  // names that the listener had no room for
  std::uint32_t mask = 0;
  int watch = -1;
  Names names;
};

class DirectoryTree {
 public:
  DirectoryTree(const DiscoveryConfig& config, std::string component, Log& log, WatchTable& watches,
                DiscoveryListener& listener);

  // Reports everything that is there.
  void open();
  // Looks at every directory again. With `every_file`, also at files that look unchanged in the listing.
  void rescan(bool every_file);
  // An event about `name`. `gone`: it says that the name left.
  void name_changed(Directory& directory, std::string_view name, bool gone);
  // The directory itself was deleted, moved, replaced or made readable.
  void self_changed(Directory& directory);
  // A link's target was deleted, moved or replaced, or got or lost a name.
  void link_target_changed(const Watch::Link& link);
  // The kernel dropped the watch (its file system was unmounted, the inode is gone).
  void watch_gone(const Watch& watch);
  // Looks at all that was announced, and tells the listener.
  void settle();

  Directory* find(DirectoryId id);
  std::string path_of(const Directory& directory, std::string_view name) const;
  // The token of the file behind a link, 0 when there is none.
  FileToken token_of(const Watch::Link& link);
  template <typename Visitor>
  void for_each_token(Visitor visitor) {
    for (auto& [id, directory] : directories_) {
      for (auto& [name, entry] : directory->names) {
        if (entry.kind == Entry::Kind::kFile && entry.token != 0) visitor(entry.token);
      }
    }
  }

  std::uint64_t watched_directories() const;
  std::uint64_t polled_directories() const;
  std::uint64_t known_names() const { return known_names_; }
  std::uint64_t waiting_names() const { return waiting_names_; }

 private:
  struct Verdict {
    std::optional<Entry::Kind> kind;  // nullopt: not worth an entry
    GlobSet::State include;           // kDirectory
    GlobSet::State exclude;
    std::uint32_t links = 0;  // kDirectory: on the way to it
    bool too_many_links = false;
  };

  void look(Directory& directory, const std::string& name, int directory_fd, const char* path,
            std::uint64_t listed_inode);
  Verdict judge(const Directory& directory, std::string_view name, bool is_link,
                const PathStatus& target) const;
  void say_links_max(const std::string& path);
  bool is_unchanged(Directory& directory, Entry& entry, const Verdict& verdict, bool is_link,
                    const PathStatus& target);
  void add(Directory& directory, const std::string& name, const PathStatus& own, const PathStatus& target,
           Verdict verdict, const std::string& full_path, std::uint64_t listed_inode);
  void add_directory(Directory& parent, const std::string& name, Entry& entry, const PathStatus& status,
                     Verdict verdict);
  void describe(Directory& directory) const;
  void let_wait(Directory& directory);
  void nobody_waits(Directory& directory);
  void remove(Directory& directory, Names::iterator at);
  void remove_directory(DirectoryId id);
  bool accepts_file(const Directory& directory, std::string_view name) const;
  bool may_match(const Directory& directory, std::string_view name, unsigned char type) const;

  void scan(Directory& directory, bool every_file);
  int list(Directory& directory, UniqueFd fd, bool every_file);
  void look_at_links(Directory& directory, int fd);
  void look_up_literals(Directory& directory, int fd);
  void look_again(Directory& directory);
  void watch(Directory& directory, int fd, const std::string& path);
  bool wants_watch(const Entry& entry, const PathStatus& target) const;
  void watch_target(Directory& directory, const std::string& name, Entry& entry, const std::string& path);
  void release(Directory& directory);
  void release_link(DirectoryId directory, std::string_view name, Entry& entry);
  void mark(Directory& directory, const std::string& name, Entry* entry);
  std::string path_of(const Directory& directory) const;

  GlobSet include_;
  GlobSet exclude_;
  std::string component_;
  Log& log_;
  WatchTable& watches_;
  DiscoveryListener& listener_;
  NameChanges changes_;
  std::unordered_map<DirectoryId, std::unique_ptr<Directory>> directories_;
  DirectoryId last_id_ = 0;
  DirectoryId root_ = 0;
  std::uint32_t scan_ = 0;
  std::uint64_t known_names_ = 0;
  std::uint64_t waiting_names_ = 0;
  std::size_t inodes_watched_ = 0;  // of files with several names
  std::deque<std::pair<DirectoryId, std::string>> to_look_;
  std::deque<DirectoryId> to_scan_;
  bool opening_ = false;
  bool remote_said_ = false;
  bool links_said_ = false;
};

}  // namespace logflume
