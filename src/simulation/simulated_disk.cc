#include "simulation/simulated_disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

namespace logflume {
namespace {

constexpr std::uint64_t kSectorBytes = 512;

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

void overlay(std::string& bytes, std::uint64_t offset, std::string_view with) {
  if (with.empty()) return;
  if (bytes.size() < offset + with.size()) bytes.resize(offset + with.size(), '\0');
  std::memcpy(bytes.data() + offset, with.data(), with.size());
}

std::uint64_t sectors(std::uint64_t bytes) { return (bytes + kSectorBytes - 1) / kSectorBytes; }

}  // namespace

// -- Files ------------------------------------------------------------------------------------------------

class SimulatedDisk::File final : public DiskFile {
 public:
  File(SimulatedDisk& disk, InodeRef inode, std::string path)
      : disk_(disk), inode_(std::move(inode)), path_(std::move(path)), generation_(disk.generation_) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
    if (auto admitted = admit("read", disk_.faults_.read); !admitted) return std::move(admitted).error();
    if (offset >= inode_->bytes.size()) return std::size_t{0};
    const std::size_t count = std::min<std::size_t>(into.size(), inode_->bytes.size() - offset);
    std::memcpy(into.data(), inode_->bytes.data() + offset, count);
    return count;
  }

  Result<std::size_t> write(std::uint64_t offset, std::span<const iovec> pieces) override {
    if (auto admitted = admit("write", 0); !admitted) return std::move(admitted).error();
    return disk_.write(*inode_, path_, offset, pieces);
  }

  Result<std::size_t> append(std::span<const iovec> pieces) override {
    if (auto admitted = admit("append", 0); !admitted) return std::move(admitted).error();
    return disk_.write(*inode_, path_, inode_->bytes.size(), pieces);
  }

  Result<void> sync() override {
    if (auto admitted = admit("sync", 0); !admitted) return admitted;
    return disk_.sync(*inode_, path_);
  }

  Result<void> truncate(std::uint64_t size_bytes) override {
    if (auto admitted = admit("truncate", disk_.faults_.write); !admitted) return admitted;
    return disk_.truncate(*inode_, path_, size_bytes);
  }

  Result<DiskStatus> status() const override {
    if (auto admitted = admit("status", 0); !admitted) return std::move(admitted).error();
    return DiskStatus{
        1, inode_->number, inode_->birth_ns, inode_->bytes.size(), inode_->links, !inode_->directory};
  }

 private:
  Result<void> admit(std::string_view what, double fault_probability) const {
    if (generation_ != disk_.generation_) {
      return errno_error(EIO, fmt::format("{} {}: of a process that is gone", what, path_));
    }
    return disk_.admit(what, path_, fault_probability);
  }

  SimulatedDisk& disk_;
  const InodeRef inode_;
  const std::string path_;
  const std::uint64_t generation_;
};

SimulatedDisk::SimulatedDisk(std::uint64_t seed, DiskModel model)
    : random_(seed), model_(model), vfs_(std::make_unique<SqliteVfs>(*this)) {
  directories_["/"];
}

Result<void> SimulatedDisk::admit(std::string_view what, const std::string& path, double fault_probability) {
  if (stopped_) return errno_error(EIO, fmt::format("{} {}: stopped", what, path));
  if (!faults_.spared.empty() && path.starts_with(faults_.spared)) return {};
  if (!random_.chance(fault_probability)) return {};
  if (trace_) trace_(fmt::format("{} {}: EIO", what, path));
  return errno_error(EIO, fmt::format("{} {}", what, path));
}

bool SimulatedDisk::begin_change() {
  ++operations_;
  if (remaining_ == 0 || --remaining_ != 0) return true;
  stopped_ = true;
  if (trace_) trace_("stops here");
  return false;
}

std::uint64_t SimulatedDisk::used_bytes() const {
  std::uint64_t used = 0;
  for (const auto& weak : inodes_) {
    if (const auto inode = weak.lock()) used += inode->bytes.size();
  }
  return used;
}

Result<std::size_t> SimulatedDisk::write(Inode& inode, const std::string& path, std::uint64_t offset,
                                         std::span<const iovec> pieces) {
  std::string bytes;
  for (const iovec& piece : pieces) bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  const bool may_fail = faults_.spared.empty() || !path.starts_with(faults_.spared);
  const bool goes_on = begin_change();
  int error = goes_on ? 0 : EIO;
  if (may_fail && bytes.size() > 1) {
    if (random_.chance(faults_.short_write)) bytes.resize(random_.between(1, bytes.size() - 1));
    if (random_.chance(faults_.write)) error = EIO;
  }
  if (error != 0) bytes.resize(random_.below(bytes.size() + 1));  // any part of it
  const std::uint64_t end = offset + bytes.size();
  if (may_fail && faults_.capacity_bytes != UINT64_MAX && end > inode.bytes.size()) {
    const std::uint64_t used = used_bytes();
    const std::uint64_t room = used < faults_.capacity_bytes ? faults_.capacity_bytes - used : 0;
    if (end - inode.bytes.size() > room) {
      const std::uint64_t fits = inode.bytes.size() + room;
      bytes.resize(fits > offset ? fits - offset : 0);
      if (bytes.empty() && error == 0) error = ENOSPC;
    }
  }
  if (!bytes.empty()) {
    overlay(inode.bytes, offset, bytes);
    inode.changes.push_back({offset, bytes, false, inode.bytes.size()});
  }
  if (trace_) trace_(fmt::format("write {} at {}: {} bytes, errno {}", path, offset, bytes.size(), error));
  if (error != 0) return errno_error(error, "write " + path);
  return bytes.size();
}

Result<void> SimulatedDisk::truncate(Inode& inode, const std::string& path, std::uint64_t size_bytes) {
  const bool goes_on = begin_change();
  if (trace_) trace_(fmt::format("truncate {} from {} to {}", path, inode.bytes.size(), size_bytes));
  inode.bytes.resize(size_bytes, '\0');
  inode.changes.push_back({size_bytes, {}, true, size_bytes});
  if (!goes_on) return errno_error(EIO, "truncate " + path);
  return {};
}

// -- Syncing ----------------------------------------------------------------------------------------------

Result<void> SimulatedDisk::sync(Inode& inode, const std::string& path) {
  if (!begin_change()) return errno_error(EIO, "sync " + path);
  const bool may_fail = faults_.spared.empty() || !path.starts_with(faults_.spared);
  if (may_fail && random_.chance(faults_.sync)) {
    if (random_.chance(0.5)) {
      // Some of it was written. The kernel calls all of it clean: what was not is gone once the page is.
      inode.durable = after_power_loss(inode);
      inode.changes.clear();
      if (random_.chance(0.5)) {
        const std::size_t size = inode.bytes.size();
        inode.bytes = inode.durable;
        inode.bytes.resize(size, '\0');
      }
      if (trace_) trace_(fmt::format("sync {}: EIO, and what was written is forgotten", path));
    } else if (trace_) {
      trace_(fmt::format("sync {}: EIO", path));
    }
    return errno_error(EIO, "fdatasync " + path);
  }
  if (trace_) trace_(fmt::format("sync {}: {} bytes", path, inode.bytes.size()));
  if (!model_.sync_lies) make_durable(inode);
  return {};
}

// The sectors that were written go to the disk as readers see them; what a failed sync has forgotten of
// others does not.
void SimulatedDisk::make_durable(Inode& inode) {
  std::string& durable = inode.durable;
  for (const Change& change : inode.changes) {
    if (change.truncation && change.offset < durable.size()) durable.resize(change.offset);
  }
  durable.resize(inode.bytes.size(), '\0');
  for (const Change& change : inode.changes) {
    const std::uint64_t begin = change.offset / kSectorBytes * kSectorBytes;
    const std::uint64_t end = std::min<std::uint64_t>(
        sectors(change.offset + std::max<std::size_t>(change.bytes.size(), 1)) * kSectorBytes,
        inode.bytes.size());
    if (begin < end) std::memcpy(durable.data() + begin, inode.bytes.data() + begin, end - begin);
  }
  inode.changes.clear();
}

// -- Losing -----------------------------------------------------------------------------------------------

// What a sector held after the first `version` changes.
std::string SimulatedDisk::sector_after(const Inode& inode, std::uint64_t sector, std::size_t version) const {
  const std::uint64_t begin = sector * kSectorBytes;
  std::string held = begin < inode.durable.size() ? inode.durable.substr(begin, kSectorBytes) : "";
  for (std::size_t i = 0; i < version; ++i) {
    const Change& change = inode.changes[i];
    if (change.truncation) {
      if (change.offset < begin + held.size()) held.resize(std::max(change.offset, begin) - begin);
      continue;
    }
    const std::uint64_t from = std::max(change.offset, begin);
    const std::uint64_t to =
        std::min<std::uint64_t>(change.offset + change.bytes.size(), begin + kSectorBytes);
    if (from >= to) continue;
    overlay(held, from - begin, std::string_view(change.bytes).substr(from - change.offset, to - from));
  }
  return held;
}

std::string SimulatedDisk::after_power_loss(const Inode& inode) {
  const std::size_t count = inode.changes.size();
  if (count == 0) return inode.durable;
  // Often all of it is there, or nothing.
  const std::uint64_t style = random_.below(4);
  const std::size_t size_version = style == 0 ? 0 : style == 1 ? count : random_.below(count + 1);
  const std::uint64_t size =
      size_version == 0 ? inode.durable.size() : inode.changes[size_version - 1].size_bytes;

  std::map<std::uint64_t, std::vector<std::size_t>> written;  // by sector: after which changes it differs
  for (std::size_t i = 0; i < count; ++i) {
    const Change& change = inode.changes[i];
    if (change.truncation) continue;
    for (std::uint64_t s = change.offset / kSectorBytes; s < sectors(change.offset + change.bytes.size());
         ++s) {
      written[s].push_back(i + 1);
    }
  }
  // As it was, and as the truncations before `size_version` left it.
  std::string left = inode.durable;
  for (std::size_t i = 0; i < size_version; ++i) {
    if (inode.changes[i].truncation && inode.changes[i].offset < left.size())
      left.resize(inode.changes[i].offset);
  }
  left.resize(size, '\0');
  for (const auto& [sector, versions] : written) {
    const std::uint64_t begin = sector * kSectorBytes;
    if (begin >= size) break;
    std::size_t low = 0;
    std::size_t high = count;
    for (std::size_t i = 0; i < count; ++i) {
      if (!inode.changes[i].truncation || inode.changes[i].offset >= begin + kSectorBytes) continue;
      if (i < size_version) low = i + 1;
      // Its block was given back and is written anew elsewhere, which the size does not know of.
      if (i >= size_version && inode.changes[i].offset <= begin) high = std::min(high, i);
    }
    std::vector<std::size_t> possible{low};
    for (const std::size_t version : versions) {
      if (version > low && version <= high) possible.push_back(version);
    }
    const std::size_t version = style == 0   ? low
                                : style == 1 ? possible.back()
                                             : possible[random_.below(possible.size())];
    std::string held = sector_after(inode, sector, version);
    const std::size_t covered = std::min<std::uint64_t>(kSectorBytes, size - begin);
    if (held.size() < covered) {
      const std::size_t unwritten = held.size();
      held.resize(covered, '\0');
      if (model_.garbage && random_.chance(0.3)) {
        for (std::size_t i = unwritten; i < covered; ++i) held[i] = static_cast<char>(random_.next());
      }
    }
    held.resize(covered);
    overlay(left, begin, held);
  }
  return left;
}

void SimulatedDisk::lose_names() {
  for (auto& [path, directory] : directories_) {
    if (!directory.changes.empty()) {
      const std::size_t kept = random_.below(directory.changes.size() + 1);
      if (trace_) trace_(fmt::format("{} keeps {} of {} changes", path, kept, directory.changes.size()));
      for (std::size_t i = 0; i < kept; ++i) {
        for (const auto& [name, inode] : directory.changes[i]) {
          if (inode) {
            directory.durable[name] = inode;
          } else {
            directory.durable.erase(name);
          }
        }
      }
      directory.changes.clear();
    }
    directory.names = directory.durable;
  }
  // A directory whose own name is gone goes with all that is in it. Parents stand before their children.
  for (auto it = directories_.begin(); it != directories_.end();) {
    if (it->first == "/") {
      ++it;
      continue;
    }
    const auto parent = directories_.find(parent_directory(it->first));
    const bool there = parent != directories_.end() && parent->second.names.contains(name_of(it->first));
    it = there ? std::next(it) : directories_.erase(it);
  }
  for (const auto& weak : inodes_) {
    if (const auto inode = weak.lock()) inode->links = 0;
  }
  for (const auto& [path, directory] : directories_) {
    for (const auto& [name, inode] : directory.names) ++inode->links;
  }
}

void SimulatedDisk::restart(Crash crash) {
  ++generation_;
  remaining_ = 0;
  stopped_ = false;
  std::erase_if(inodes_, [](const auto& weak) { return weak.expired(); });
  if (crash == Crash::kKill) return;
  lose_names();
  for (const auto& weak : inodes_) {
    const auto inode = weak.lock();
    if (!inode) continue;
    const std::size_t before = inode->bytes.size();
    inode->bytes = inode->durable = after_power_loss(*inode);
    if (trace_ && !inode->changes.empty()) {
      trace_(fmt::format("inode {} had {} bytes and {} changes, has {} bytes", inode->number, before,
                         inode->changes.size(), inode->bytes.size()));
    }
    inode->changes.clear();
  }
}

// -- Names ------------------------------------------------------------------------------------------------

Result<SimulatedDisk::InodeRef> SimulatedDisk::find(const std::string& path) {
  const auto directory = directories_.find(parent_directory(path));
  if (directory == directories_.end()) return errno_error(ENOENT, path);
  const auto known = directory->second.names.find(name_of(path));
  if (known == directory->second.names.end()) return errno_error(ENOENT, path);
  return known->second;
}

SimulatedDisk::InodeRef SimulatedDisk::make_inode(bool directory) {
  auto inode = std::make_shared<Inode>();
  inode->number = next_inode_++;
  if (model_.birth_times) inode->birth_ns = static_cast<std::int64_t>(1'000'000 + inode->number);
  inode->directory = directory;
  inodes_.push_back(inode);
  return inode;
}

// `path`: of one of them. An interrupted change of names is whole, or not there.
Result<void> SimulatedDisk::change_names(const std::string& path, NameChange change) {
  Directory& directory = directories_.at(parent_directory(path));
  const bool goes_on = begin_change();
  if (!goes_on && random_.chance(0.5)) return errno_error(EIO, "change of names in " + path);
  for (const auto& [name, inode] : change) {
    if (const auto known = directory.names.find(name); known != directory.names.end()) {
      --known->second->links;
      directory.names.erase(known);
    }
    if (!inode) continue;
    ++inode->links;
    directory.names.emplace(name, inode);
  }
  directory.changes.push_back(std::move(change));
  if (!goes_on) return errno_error(EIO, "change of names in " + path);
  return {};
}

Result<std::unique_ptr<DiskFile>> SimulatedDisk::open(const std::string& path, DiskOpen how) {
  if (auto admitted = admit("open", path, faults_.names); !admitted) return std::move(admitted).error();
  if (path == "/" || directories_.contains(path)) return errno_error(EISDIR, "open " + path);
  auto found = find(path);
  const bool create = how == DiskOpen::kCreate || how == DiskOpen::kAppend;
  if (found && how == DiskOpen::kCreate) return Error{Errc::kBusy, EEXIST, "open " + path};
  if (!found) {
    if (!create || !directories_.contains(parent_directory(path))) return errno_error(ENOENT, "open " + path);
    if (trace_) trace_("create " + path);
    InodeRef inode = make_inode(false);
    if (auto made = change_names(path, {{name_of(path), inode}}); !made) return std::move(made).error();
    found = inode;
  }
  return std::unique_ptr<DiskFile>(std::make_unique<File>(*this, *found, path));
}

Result<DiskStatus> SimulatedDisk::status(const std::string& path) {
  if (auto admitted = admit("status", path, 0); !admitted) return std::move(admitted).error();
  if (path == "/") return DiskStatus{1, 1, 1, 0, 1, false};
  const auto inode = find(path);
  if (!inode) return errno_error(ENOENT, "status " + path);
  return DiskStatus{
      1, (*inode)->number, (*inode)->birth_ns, (*inode)->bytes.size(), (*inode)->links, !(*inode)->directory};
}

Result<void> SimulatedDisk::rename(const std::string& from, const std::string& to) {
  if (auto admitted = admit("rename", from, faults_.names); !admitted) return admitted;
  if (parent_directory(from) != parent_directory(to)) return errno_error(EXDEV, "rename " + from);
  const auto inode = find(from);
  if (!inode) return errno_error(ENOENT, "rename " + from);
  if (const auto target = find(to); target && *target == *inode) return {};  // two names of one file stay
  if (trace_) trace_("rename " + from + " to " + to);
  return change_names(from, {{name_of(from), nullptr}, {name_of(to), *inode}});
}

Result<void> SimulatedDisk::link(const std::string& from, const std::string& to) {
  if (auto admitted = admit("link", from, faults_.names); !admitted) return admitted;
  if (parent_directory(from) != parent_directory(to)) return errno_error(EXDEV, "link " + from);
  const auto inode = find(from);
  if (!inode) return errno_error(ENOENT, "link " + from);
  if (find(to)) return Error{Errc::kBusy, EEXIST, "link " + from + " as " + to};
  if (trace_) trace_("link " + from + " as " + to);
  return change_names(to, {{name_of(to), *inode}});
}

Result<void> SimulatedDisk::remove(const std::string& path) {
  if (auto admitted = admit("remove", path, faults_.names); !admitted) return admitted;
  const auto inode = find(path);
  if (!inode) return {};
  if ((*inode)->directory) return errno_error(EISDIR, "remove " + path);
  if (trace_) trace_("remove " + path);
  return change_names(path, {{name_of(path), nullptr}});
}

Result<void> SimulatedDisk::make_directory(const std::string& path) {
  if (auto admitted = admit("make directory", path, faults_.names); !admitted) return admitted;
  if (path == "/" || find(path)) return {};
  if (!directories_.contains(parent_directory(path))) return errno_error(ENOENT, "make directory " + path);
  if (trace_) trace_("make directory " + path);
  auto made = change_names(path, {{name_of(path), make_inode(true)}});
  if (find(path)) directories_[path] = {};  // also where it was interrupted
  return made;
}

Result<std::vector<DiskEntry>> SimulatedDisk::list(const std::string& path) {
  if (auto admitted = admit("list", path, faults_.names); !admitted) return std::move(admitted).error();
  const auto directory = directories_.find(path);
  if (directory == directories_.end()) return errno_error(ENOENT, "list " + path);
  std::vector<DiskEntry> entries;
  for (const auto& [name, inode] : directory->second.names) {
    if (!inode->directory) entries.push_back({name, inode->number});
  }
  return entries;
}

Result<void> SimulatedDisk::sync_directory(const std::string& path) {
  if (auto admitted = admit("sync directory", path, faults_.names); !admitted) return admitted;
  const auto directory = directories_.find(path);
  if (directory == directories_.end()) return errno_error(ENOENT, "sync directory " + path);
  if (!begin_change()) return errno_error(EIO, "sync directory " + path);
  if (trace_) trace_("sync directory " + path);
  if (model_.directory_sync_lies) return {};
  directory->second.durable = directory->second.names;
  directory->second.changes.clear();
  // Its own name, and what was changed before it beside it.
  for (std::string child = path; child != "/"; child = parent_directory(child)) {
    Directory& parent = directories_.at(parent_directory(child));
    const auto names_it = [&](const NameChange& change) {
      return std::any_of(change.begin(), change.end(),
                         [&](const auto& entry) { return entry.first == name_of(child); });
    };
    const auto own = std::find_if(parent.changes.begin(), parent.changes.end(), names_it);
    if (own == parent.changes.end()) continue;
    for (auto change = parent.changes.begin(); change <= own; ++change) {
      for (const auto& [name, inode] : *change) {
        if (inode) {
          parent.durable[name] = inode;
        } else {
          parent.durable.erase(name);
        }
      }
    }
    parent.changes.erase(parent.changes.begin(), own + 1);
  }
  return {};
}

// -- From outside -----------------------------------------------------------------------------------------

std::optional<std::string> SimulatedDisk::content(const std::string& path) const {
  const auto directory = directories_.find(parent_directory(path));
  if (directory == directories_.end()) return std::nullopt;
  const auto known = directory->second.names.find(name_of(path));
  if (known == directory->second.names.end()) return std::nullopt;
  return known->second->bytes;
}

void SimulatedDisk::rename_from_outside(const std::string& from, const std::string& to) {
  const auto inode = find(from);
  if (!inode) return;
  const std::uint64_t remaining = std::exchange(remaining_, 0);
  (void)change_names(from, {{name_of(from), nullptr}, {name_of(to), *inode}});
  remaining_ = remaining;
  if (trace_) trace_("somebody renames " + from + " to " + to);
}

}  // namespace logflume
