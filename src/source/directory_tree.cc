#include "source/directory_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>

namespace logflume {
namespace {

// Links can make a tree of any size out of a few directories.
constexpr std::size_t kDirectoriesMax = 1U << 18;
// n directories that all link to each other make n! paths: `**` follows so many links on the way to a file.
constexpr std::uint32_t kLinksMax = 3;
// With more names than this, listing a directory is cheaper than a stat of each.
constexpr std::size_t kLookUpsMax = 64;
// A tree of hard links (some backups are) must not use up the watches that directories need.
constexpr std::size_t kInodesWatchedMax = 4096;

// Names that are told together when all are new.
constexpr std::size_t kGainedMax = 1024;

std::string working_directory() {
  std::unique_ptr<char, decltype(&std::free)> path(::getcwd(nullptr, 0), &std::free);
  return path != nullptr ? path.get() : "/";
}

}  // namespace

DirectoryTree::DirectoryTree(const DiscoveryConfig& config, std::string component, Log& log,
                             WatchTable& watches, DiscoveryListener& listener)
    : component_(std::move(component)), log_(log), watches_(watches), listener_(listener) {
  const std::string here = working_directory();
  const auto add_all = [&](GlobSet& globs, const std::vector<std::string>& patterns) {
    for (const std::string& pattern : patterns) {
      // The configuration has been checked; a glob that is malformed all the same matches nothing.
      if (Result<void> added = globs.add(pattern, here); !added)
        log_.error(component_, "{}", added.error().text());
    }
  };
  add_all(include_, config.include);
  add_all(exclude_, config.exclude);
}

void DirectoryTree::open() {
  PathStatus status;
  if (stat_path(AT_FDCWD, "/", true, status) != 0) return;
  auto root = std::make_unique<Directory>();
  root->id = root_ = ++last_id_;
  root->device = status.device;
  root->inode = status.inode;
  root->include = include_.start();
  root->exclude = exclude_.start();
  describe(*root);
  to_scan_.push_back(root_);
  directories_.emplace(root_, std::move(root));
  opening_ = true;
  settle();
  opening_ = false;
}

void DirectoryTree::rescan(bool every_file) {
  watches_.retry();
  std::vector<DirectoryId> ids;
  ids.reserve(directories_.size());
  for (const auto& [id, directory] : directories_) ids.push_back(id);
  // Parents before children: ids grow downwards.
  std::sort(ids.begin(), ids.end());
  for (const DirectoryId id : ids) {
    if (Directory* directory = find(id)) scan(*directory, every_file);
  }
  settle();
}

void DirectoryTree::settle() {
  while (!to_look_.empty() || !to_scan_.empty()) {
    if (!to_look_.empty()) {
      const auto [id, name] = std::move(to_look_.front());
      to_look_.pop_front();
      if (Directory* directory = find(id)) {
        look(*directory, name, AT_FDCWD, path_of(*directory, name).c_str(), 0);
        directory->links_dirty = false;
      }
    } else {
      const DirectoryId id = to_scan_.front();
      to_scan_.pop_front();
      if (Directory* directory = find(id)) scan(*directory, false);
      // Nothing can have been renamed yet: no reason to collect.
      if (opening_) changes_.commit(listener_);
    }
  }
  watches_.release_unused();
  changes_.commit(listener_);
}

void DirectoryTree::name_changed(Directory& directory, std::string_view name, bool gone) {
  const auto found = directory.names.find(name);
  const bool is_known = found != directory.names.end();
  if (is_known) {
    if (!found->second.dirty) mark(directory, found->first, &found->second);
    // The file that comes back may be the one that left: what was written to it elsewhere made no event here.
    if (!gone) found->second.modified = true;
  } else if (!gone && may_match(directory, name, DT_UNKNOWN)) {
    mark(directory, std::string(name), nullptr);
  }
  // The name may be what links in this directory go through, as the `..data` of a Kubernetes volume.
  const bool is_plain_file = is_known && found->second.kind == Entry::Kind::kFile && !found->second.is_link;
  if (directory.link_count > 0 && !is_plain_file && !directory.links_dirty) {
    directory.links_dirty = true;
    for (auto& [link, entry] : directory.names) {
      if (entry.is_link && !entry.dirty) mark(directory, link, &entry);
    }
  }
}

void DirectoryTree::self_changed(Directory& directory) {
  look_again(directory);
  if (directory.is_unreadable) to_scan_.push_back(directory.id);
}

// The directory is not what its name leads to, or may not be.
void DirectoryTree::look_again(Directory& directory) {
  if (directory.parent != 0) to_look_.emplace_back(directory.parent, directory.name);
}

void DirectoryTree::link_target_changed(const Watch::Link& link) {
  Directory* directory = find(link.directory);
  if (directory == nullptr) return;
  const auto found = directory->names.find(link.name);
  if (found != directory->names.end() && !found->second.dirty) mark(*directory, link.name, &found->second);
}

void DirectoryTree::watch_gone(const Watch& watch) {
  for (const DirectoryId id : watch.directories) {
    if (Directory* directory = find(id)) {
      directory->watch = -1;
      look_again(*directory);
      to_scan_.push_back(id);
    }
  }
  for (const Watch::Link& link : watch.links) {
    Directory* directory = find(link.directory);
    if (directory == nullptr) continue;
    const auto found = directory->names.find(link.name);
    if (found == directory->names.end()) continue;
    found->second.watch = -1;
    if (!found->second.is_link) --inodes_watched_;
    if (!found->second.dirty) mark(*directory, link.name, &found->second);
  }
}

void DirectoryTree::mark(Directory& directory, const std::string& name, Entry* entry) {
  if (entry != nullptr) entry->dirty = true;
  to_look_.emplace_back(directory.id, name);
}

Directory* DirectoryTree::find(DirectoryId id) {
  const auto found = directories_.find(id);
  return found == directories_.end() ? nullptr : found->second.get();
}

FileToken DirectoryTree::token_of(const Watch::Link& link) {
  Directory* directory = find(link.directory);
  if (directory == nullptr) return 0;
  const auto found = directory->names.find(link.name);
  return found == directory->names.end() ? 0 : found->second.token;
}

bool DirectoryTree::accepts_file(const Directory& directory, std::string_view name) const {
  return include_.accepts(directory.include, name) && !exclude_.accepts(directory.exclude, name);
}

// Whether a name of this type (DT_...) can be a file that matches or a directory on the way to one.
bool DirectoryTree::may_match(const Directory& directory, std::string_view name, unsigned char type) const {
  if (type != DT_REG && type != DT_DIR && type != DT_LNK && type != DT_UNKNOWN) return false;
  if (type != DT_DIR && accepts_file(directory, name)) return true;
  return type != DT_REG && !include_.enter(directory.include, name).empty();
}

DirectoryTree::Verdict DirectoryTree::judge(const Directory& directory, std::string_view name, bool is_link,
                                            const PathStatus& target) const {
  Verdict verdict;
  if (target.is_file()) {
    if (accepts_file(directory, name)) verdict.kind = Entry::Kind::kFile;
  } else if (target.is_directory()) {
    // A directory below itself, through a link, would never end.
    bool is_loop = false;
    for (const Directory* up = &directory; up != nullptr && !is_loop;) {
      is_loop = up->device == target.device && up->inode == target.inode;
      const auto parent = directories_.find(up->parent);
      up = parent == directories_.end() ? nullptr : parent->second.get();
    }
    verdict.links = directory.links + (is_link && !directory.is_passage ? 1 : 0);
    const bool too_many = is_link && verdict.links > kLinksMax;
    verdict.include = include_.enter(directory.include, name, !is_loop && !too_many);
    verdict.too_many_links =
        too_many && !is_loop && verdict.include.empty() && !include_.enter(directory.include, name).empty();
    verdict.exclude = exclude_.enter(directory.exclude, name);
    if (!verdict.include.empty() && !exclude_.accepts_everything(verdict.exclude)) {
      verdict.kind = Entry::Kind::kDirectory;
    }
  }
  return verdict;
}

// Brings the entry of `name` up to date. `path` is relative to `directory_fd`; `listed_inode` is 0 when the
// directory was not listed.
void DirectoryTree::look(Directory& directory, const std::string& name, int directory_fd, const char* path,
                         std::uint64_t listed_inode) {
  const auto found = directory.names.find(name);
  const bool is_known = found != directory.names.end();
  bool was_modified = false;
  if (is_known) {
    was_modified = found->second.modified;
    found->second.dirty = found->second.modified = false;
  }
  PathStatus own;
  if (const int error = stat_path(directory_fd, path, false, own); error != 0) {
    if (is_known && (error == ENOENT || error == ENOTDIR)) {
      remove(directory, found);
      if (directory.is_passage) to_scan_.push_back(directory.id);  // to wait for it
    } else if (is_known) {
      found->second.seen = scan_;  // it may be there: we are not allowed to look
    }
    return;
  }
  PathStatus target = own;
  // A link that leads nowhere keeps an entry: what it leads to may come.
  if (own.is_link() && stat_path(directory_fd, path, true, target) != 0) target = PathStatus{};
  Verdict verdict = judge(directory, name, own.is_link(), target);
  if (verdict.too_many_links && !links_said_) say_links_max(path_of(directory, name));
  // Remembered so that it is asked for only once, or again when links move.
  if (!verdict.kind && (own.is_link() || is_known || listed_inode != 0)) verdict.kind = Entry::Kind::kOther;

  if (is_known) {
    Entry& entry = found->second;
    if (is_unchanged(directory, entry, verdict, own.is_link(), target)) {
      entry.listed_inode = listed_inode != 0 ? listed_inode : own.inode;
      entry.seen = scan_;
      if (was_modified) changes_.changed(entry.token);
      if (!wants_watch(entry, target)) {
        if (entry.watch >= 0) release_link(directory.id, name, entry);
      } else if (entry.watch < 0) {
        watch_target(directory, name, entry, path_of(directory, name));
      }
      return;
    }
    remove(directory, found);
  }
  if (!verdict.kind && !is_known) return;
  if (verdict.kind) {
    add(directory, name, own, target, std::move(verdict), path_of(directory, name), listed_inode);
  }
  if (directory.is_passage) to_scan_.push_back(directory.id);  // it may listen to less now, or must to more
}

void DirectoryTree::say_links_max(const std::string& path) {
  links_said_ = true;
  log_.warn(component_,
            "** does not lead into {} and others like it: there are more than {} links to directories on the "
            "way; name them in the globs if they are to be entered",
            path, kLinksMax);
}

bool DirectoryTree::is_unchanged(Directory& directory, Entry& entry, const Verdict& verdict, bool is_link,
                                 const PathStatus& target) {
  if (entry.kind != verdict.kind || entry.is_link != is_link) return false;
  if (entry.kind == Entry::Kind::kOther) return true;
  if (entry.identity != target.identity()) return false;
  if (entry.kind == Entry::Kind::kFile && (directory.is_polled || is_link)) {
    const std::uint64_t signature = target.signature();
    if (signature != std::exchange(entry.signature, signature)) changes_.changed(entry.token);
  }
  return true;
}

// What is written through a name that we do not know makes no event in the directory of one that we know.
bool DirectoryTree::wants_watch(const Entry& entry, const PathStatus& target) const {
  if (entry.kind != Entry::Kind::kFile) return false;
  if (entry.is_link) return true;
  return target.links > 1 && (entry.watch >= 0 || inodes_watched_ < kInodesWatchedMax);
}

void DirectoryTree::add(Directory& directory, const std::string& name, const PathStatus& own,
                        const PathStatus& target, Verdict verdict, const std::string& full_path,
                        std::uint64_t listed_inode) {
  if (verdict.kind == Entry::Kind::kDirectory &&
      (directories_.size() >= kDirectoriesMax || full_path.size() + NAME_MAX + 2 > PATH_MAX)) {
    log_.limited(LogLevel::kWarn, component_, "too many directories",
                 "not entering " + full_path + ": more than " + std::to_string(kDirectoriesMax) +
                     " directories, or its path is too long; narrow the globs");
    return;
  }
  if (verdict.kind == Entry::Kind::kFile && !changes_.some_lost() && !listener_.has_room())
    return let_wait(directory);
  Entry& entry = directory.names[name];
  entry.kind = *verdict.kind;
  entry.is_link = own.is_link();
  entry.identity = target.identity();
  entry.listed_inode = listed_inode != 0 ? listed_inode : own.inode;
  entry.seen = scan_;
  if (entry.is_link) ++directory.link_count;
  if (entry.kind == Entry::Kind::kDirectory) {
    add_directory(directory, name, entry, target, std::move(verdict));
  } else if (entry.kind == Entry::Kind::kFile) {
    ++known_names_;
    entry.signature = target.signature();
    if (wants_watch(entry, target)) watch_target(directory, name, entry, full_path);
    changes_.gained(
        entry.identity,
        {full_path, target.device, target.inode, target.birth_ns, target.size_bytes, target.modified_ns},
        entry);
    // Nothing can have been renamed yet: no reason to collect a million names of one directory.
    if (opening_ && changes_.gained_names() >= kGainedMax) changes_.commit(listener_);
  }
}

// Its next listing is to look at all names that are not known.
void DirectoryTree::let_wait(Directory& directory) {
  ++directory.waiting;
  ++waiting_names_;
  directory.listed_ns = 0;
}

void DirectoryTree::nobody_waits(Directory& directory) {
  waiting_names_ -= std::exchange(directory.waiting, 0);
}

void DirectoryTree::add_directory(Directory& parent, const std::string& name, Entry& entry,
                                  const PathStatus& status, Verdict verdict) {
  auto directory = std::make_unique<Directory>();
  directory->id = entry.directory = ++last_id_;
  directory->parent = parent.id;
  directory->name = name;
  directory->device = status.device;
  directory->inode = status.inode;
  directory->include = std::move(verdict.include);
  directory->exclude = std::move(verdict.exclude);
  directory->links = verdict.links;
  describe(*directory);
  to_scan_.push_back(directory->id);
  directories_.emplace(directory->id, std::move(directory));
}

void DirectoryTree::describe(Directory& directory) const {
  directory.literals = include_.literals(directory.include);
  if (directory.literals && directory.literals->size() > kLookUpsMax) directory.literals.reset();
  directory.is_passage = directory.literals && !include_.accepts_files(directory.include);
}

void DirectoryTree::remove(Directory& directory, Names::iterator at) {
  Entry& entry = at->second;
  if (entry.kind == Entry::Kind::kDirectory) {
    remove_directory(entry.directory);
  } else if (entry.kind == Entry::Kind::kFile) {
    --known_names_;
    if (entry.pending != 0) {
      changes_.cancel(entry);
    } else {
      changes_.lost(entry.identity, entry.token, path_of(directory, at->first));
    }
  }
  if (entry.watch >= 0) release_link(directory.id, at->first, entry);
  if (entry.is_link) --directory.link_count;
  directory.names.erase(at);
}

void DirectoryTree::remove_directory(DirectoryId id) {
  Directory* directory = find(id);
  if (directory == nullptr) return;
  nobody_waits(*directory);
  while (!directory->names.empty()) remove(*directory, directory->names.begin());
  release(*directory);
  directories_.erase(id);
}

std::string DirectoryTree::path_of(const Directory& directory) const {
  if (directory.parent == 0) return "/";
  std::vector<const std::string*> names;
  for (const Directory* at = &directory; at->parent != 0; at = directories_.at(at->parent).get()) {
    names.push_back(&at->name);
  }
  std::string path;
  for (auto name = names.rbegin(); name != names.rend(); ++name) (path += '/') += **name;
  return path;
}

std::string DirectoryTree::path_of(const Directory& directory, std::string_view name) const {
  std::string path = path_of(directory);
  if (path.size() > 1) path += '/';
  path += name;
  return path;
}

std::uint64_t DirectoryTree::watched_directories() const {
  return static_cast<std::uint64_t>(std::count_if(
      directories_.begin(), directories_.end(),
      [](const auto& item) { return item.second->watch >= 0 && (item.second->mask & IN_CREATE) != 0; }));
}

std::uint64_t DirectoryTree::polled_directories() const {
  return static_cast<std::uint64_t>(
      std::count_if(directories_.begin(), directories_.end(),
                    [](const auto& item) { return item.second->is_polled && !item.second->is_passage; }));
}

}  // namespace logflume
