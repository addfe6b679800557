// A disk in memory that is as unreliable as a real one may be: it loses, reorders and tears what was not
// synced when the power goes, and its calls fail. What happens is decided by a seed.
//
// The model, which is what POSIX allows and ext4 or xfs may do:
//  - A write is in the page cache until its file is synced. When the power goes, each sector of 512 bytes
//  that
//    was written since the last sync holds what it held after any one of the writes to it, or before all of
//    them, whatever its neighbours hold. So writes are lost, reordered and torn at the borders of sectors.
//  - A file's size is journalled: after a crash it is the one after some write or truncation since the last
//    sync. What it covers and was not written reads as zeros, or (`garbage`) as anything. Where a truncation
//    is durable, what it cut does not come back; where it is not, its sectors keep what they held.
//  - Names are journalled for each directory, in order: a crash keeps the first of those changes that were
//    not synced, any number of them. A rename is one change. Syncing a file does not make its name durable;
//    syncing a directory makes all changes in it durable, and that directory's own name.
//  - A sync() that fails may leave the written bytes to the next one, or forget them: some are on the disk,
//    the others are not, the next sync() succeeds all the same, and reads may see the old bytes again.
//  - After a write() that fails any part of it may have been written.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "disk/disk.h"
#include "simulation/random.h"
#include "simulation/sqlite_vfs.h"

namespace logflume {

struct DiskFaults {
  // How probable it is that a call fails, or writes less than it was told to.
  double read = 0;
  double write = 0;
  double short_write = 0;
  double sync = 0;
  double names = 0;  // open, rename, link, remove, make and sync a directory
  std::uint64_t capacity_bytes = UINT64_MAX;
  std::string spared;  // paths that begin so never fail
};

struct DiskModel {
  bool garbage = false;
  bool birth_times = true;
  // Disks that break their promise, to see that it is noticed.
  bool sync_lies = false;
  bool directory_sync_lies = false;
};

enum class Crash {
  kKill,   // the process: what it wrote stays
  kPower,  // the machine
};

// Threads:   one.
// Lifecycle: outlives its files. Those that were open before a restart() fail for ever.
class SimulatedDisk final : public Disk {
 public:
  explicit SimulatedDisk(std::uint64_t seed, DiskModel model = {});
  SimulatedDisk(const SimulatedDisk&) = delete;
  SimulatedDisk& operator=(const SimulatedDisk&) = delete;

  void set_faults(DiskFaults faults) { faults_ = std::move(faults); }
  // In the middle of the `operations`th change from now on all ends: nothing has an effect and every call
  // fails until restart(). 0: not at all.
  void stop_after(std::uint64_t operations) { remaining_ = operations; }
  void stop_now() { stopped_ = true; }
  bool stopped() const { return stopped_; }
  // What is left is what the next process finds.
  void restart(Crash crash);

  // Changes so far.
  std::uint64_t operations() const { return operations_; }
  // Each call, as a line.
  void set_trace(std::function<void(std::string_view)> trace) { trace_ = std::move(trace); }
  // As somebody else reads it, without faults; nullopt: it is not there.
  std::optional<std::string> content(const std::string& path) const;
  // By somebody else: never fails, and is not durable either.
  void rename_from_outside(const std::string& from, const std::string& to);

  Result<std::unique_ptr<DiskFile>> open(const std::string& path, DiskOpen how) override;
  Result<DiskStatus> status(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> link(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> make_directory(const std::string& path) override;
  Result<std::vector<DiskEntry>> list(const std::string& directory) override;
  Result<void> sync_directory(const std::string& path) override;
  const char* sqlite_vfs() const override { return vfs_->name(); }

 private:
  // One write or truncation that was not synced.
  struct Change {
    std::uint64_t offset = 0;  // of a truncation: the new size
    std::string bytes;
    bool truncation = false;
    std::uint64_t size_bytes = 0;  // of the file after it
  };
  struct Inode {
    std::uint64_t number = 0;
    std::int64_t birth_ns = 0;
    bool directory = false;
    std::uint32_t links = 0;
    std::string bytes;    // what readers see
    std::string durable;  // what was synced
    std::vector<Change> changes;
  };
  using InodeRef = std::shared_ptr<Inode>;
  using Names = std::map<std::string, InodeRef>;
  // Names and what they stand for from now on; null: nothing.
  using NameChange = std::vector<std::pair<std::string, InodeRef>>;
  struct Directory {
    Names names;
    Names durable;
    std::vector<NameChange> changes;
  };
  class File;

  // Fails when the disk has stopped, or by chance.
  Result<void> admit(std::string_view what, const std::string& path, double fault_probability);
  // The call changes something. False: the power goes in the middle of it.
  bool begin_change();
  Result<InodeRef> find(const std::string& path);
  InodeRef make_inode(bool directory);
  Result<void> change_names(const std::string& path, NameChange change);
  Result<std::size_t> write(Inode& inode, const std::string& path, std::uint64_t offset,
                            std::span<const iovec> pieces);
  Result<void> sync(Inode& inode, const std::string& path);
  Result<void> truncate(Inode& inode, const std::string& path, std::uint64_t size_bytes);
  std::uint64_t used_bytes() const;
  std::string after_power_loss(const Inode& inode);
  std::string sector_after(const Inode& inode, std::uint64_t sector, std::size_t version) const;
  static void make_durable(Inode& inode);
  void lose_names();

  Random random_;
  const DiskModel model_;
  DiskFaults faults_;
  std::function<void(std::string_view)> trace_;
  std::uint64_t operations_ = 0;
  std::uint64_t remaining_ = 0;
  bool stopped_ = false;
  std::uint64_t generation_ = 0;  // of open files
  std::uint64_t next_inode_ = 2;
  std::vector<std::weak_ptr<Inode>> inodes_;
  std::map<std::string, Directory> directories_;  // by path
  std::unique_ptr<SqliteVfs> vfs_;
};

}  // namespace logflume
