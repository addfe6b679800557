#include "checkpoint/checkpoint_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/clock.h"
#include "checkpoint/checkpoint_tables.h"
#include "checkpoint/data_dir_lock.h"
#include "checkpoint/sqlite.h"

namespace logflume {
namespace {

// After damage the highest id given out may be unknown: skip more than can have been lost.
constexpr std::uint64_t kFileIdLeap = 1 << 20;

struct FileKey {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const FileKey&) const = default;
};

Result<bool> exists(Disk& disk, const std::string& path) {
  const auto status = disk.status(path);
  if (status) return true;
  if (status.error().code == Errc::kNotFound) return false;
  return status.error();
}

std::string utc_stamp() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return text;
}

// The check tells of a page that could not be read by the number of SQLite's error.
bool names_failed_read(std::string_view check) {
  constexpr std::string_view kNumber = "error code=";
  const std::size_t at = check.find(kNumber);
  if (at == check.npos) return false;
  int code = 0;
  std::from_chars(check.data() + at + kNumber.size(), check.data() + check.size(), code);
  return (code & 0xff) == SQLITE_IOERR && code != SQLITE_IOERR_SHORT_READ;
}

// Opens what claims to be a store and looks at its structure. kCorrupt: salvage it.
Result<SqliteDatabase> open_checked(Disk& disk, const std::string& path) {
  // An empty file is no fresh store: a store gets its name when it is complete.
  if (const auto status = disk.status(path)) {
    if (!status->regular) return Error{Errc::kInvalidArgument, 0, path + " is not a regular file"};
    if (status->size_bytes == 0) return Error{Errc::kCorrupt, 0, path + " is empty"};
  }
  auto database = SqliteDatabase::open(path, SQLITE_OPEN_READWRITE, disk.sqlite_vfs());
  if (!database) return database;
  if (sqlite3_db_readonly(database->handle(), "main") == 1) return errno_error(EACCES, "open " + path);
  // journal_size_limit gives the space of a large commit back. cell_size_check finds a damaged page before
  // it is used.
  if (auto set = database->execute("PRAGMA cell_size_check = ON;"
                                   "PRAGMA journal_mode = WAL;"
                                   "PRAGMA synchronous = FULL;"
                                   "PRAGMA temp_store = MEMORY;"
                                   "PRAGMA journal_size_limit = 4194304");
      !set) {
    return std::move(set).error();
  }
  const auto version = check_checkpoint_schema(*database);
  if (!version) return version.error();
  // The file may be written, but its header names a format that SQLite only reads.
  if (sqlite3_db_readonly(database->handle(), "main") == 1) {
    return Error{Errc::kCorrupt, 0, path + ": its header is damaged"};
  }
  const auto check = database->query_text("PRAGMA quick_check(1)");
  if (!check) return check.error();
  if (names_failed_read(*check)) return errno_error(EIO, "read " + path);
  if (*check != "ok") return Error{Errc::kCorrupt, 0, path + ": " + *check};
  if (*version != kCheckpointFormatVersion) {
    if (auto upgraded = upgrade_checkpoints(*database, wall_now_ns()); !upgraded)
      return std::move(upgraded).error();
  }
  // An index that misses rows would let a second cursor of the same file and sink in.
  const auto unindexed = database->query_integer(
      "SELECT (SELECT count(*) FROM cursors NOT INDEXED) - "
      "(SELECT count(*) FROM cursors INDEXED BY cursors_by_file_and_sink) + "
      "(SELECT count(*) FROM sink_state NOT INDEXED) - "
      "(SELECT count(*) FROM sink_state INDEXED BY sink_state_by_sink_and_key) + "
      "(SELECT count(*) FROM ranges NOT INDEXED) - "
      "(SELECT count(*) FROM ranges INDEXED BY ranges_by_place)");
  if (!unindexed) return unindexed.error();
  if (*unindexed != 0) return Error{Errc::kCorrupt, 0, path + ": an index misses rows"};
  // What the log holds may be in the page cache only: the process before this one was killed after a sync
  // that failed, and the kernel calls those pages clean. Written again, into the store, it is durable.
  if (auto stored = database->execute("PRAGMA wal_checkpoint(TRUNCATE)");
      !stored && stored.error().os_errno != ENOSPC) {
    return std::move(stored).error();
  }
  return database;
}

// Writes a complete store under `path`, durable on return but for its name.
Result<void> build(Disk& disk, const std::string& path, const CheckpointContent& content,
                   std::uint64_t next_file_id) {
  for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
    if (auto removed = disk.remove(path + suffix); !removed) return removed;
  }
  // SQLite gives the store's mode to its companions.
  if (auto file = disk.open(path, DiskOpen::kCreate); !file) return std::move(file).error();
  auto database = SqliteDatabase::open(path, SQLITE_OPEN_READWRITE, disk.sqlite_vfs());
  if (!database) return std::move(database).error();
  if (auto made = database->execute("PRAGMA synchronous = FULL"); !made) return made;
  if (auto made = create_checkpoint_tables(*database); !made) return made;
  auto writer = CheckpointWriter::prepare(*database);
  if (!writer) return std::move(writer).error();
  if (auto begun = database->execute("BEGIN IMMEDIATE"); !begun) return begun;
  CheckpointChanges all;
  all.files = content.files;
  all.cursors = content.cursors;
  all.states = content.states;
  all.ranges = content.ranges;
  if (auto wrote = writer->write(all); !wrote) return wrote;
  if (auto wrote = writer->write_next_file_id(next_file_id); !wrote) return wrote;
  return database->execute("COMMIT");
}

std::string path_in(const std::string& data_dir) { return data_dir + "/checkpoints.db"; }

// kPermission and the like say what was tried on what.
Error on_store(Error error, const std::string& path) {
  if (error.message.find(path) == std::string::npos) error.message += " (" + path + ")";
  return error;
}

}  // namespace

struct CheckpointStore::Impl {
  Impl(Disk& d, std::optional<DataDirLock> data_dir_lock, std::string dir)
      : disk(d), lock(std::move(data_dir_lock)), data_dir(std::move(dir)), path(path_in(data_dir)) {}

  Disk& disk;
  std::optional<DataDirLock> lock;
  std::string data_dir;
  std::string path;
  SqliteDatabase database;
  std::optional<CheckpointWriter> writer;  // of `database`
  FileKey key;                             // of the file that `database` has open
  std::uint64_t stored_next_file_id = 0;
  std::uint64_t lost = 0;  // damaged rows of stores that were moved aside
  std::string quarantined;

  void close() {
    writer.reset();
    database.close();
  }

  Result<void> connect() {
    auto opened = open_checked(disk, path);
    if (!opened) return on_store(std::move(opened).error(), path);
    auto prepared = CheckpointWriter::prepare(*opened);
    if (!prepared) return on_store(std::move(prepared).error(), path);
    database = std::move(*opened);
    writer.emplace(std::move(*prepared));
    const auto status = disk.status(path);
    if (!status) return status.error();
    key = {status->device, status->inode};
    return {};
  }

  // Gives the name of the damaged store to the one built as `fresh`. A crash in between leaves the damaged
  // store, or the fresh one, under the name, and never a store with the write-ahead log of another.
  Result<void> install(const std::string& fresh) {
    const auto has_store = exists(disk, path);
    if (!has_store) return has_store.error();
    const auto has_log = exists(disk, path + "-wal");
    if (!has_log) return has_log.error();
    if (*has_store || *has_log) {
      const auto aside = free_name(path + ".corrupt-" + utc_stamp());
      if (!aside) return aside.error();
      if (*has_store && !disk.link(path, *aside)) {
        if (auto moved = disk.rename(path, *aside); !moved) return moved;
      }
      if (*has_log) {
        if (auto moved = disk.rename(path + "-wal", *aside + "-wal"); !moved) return moved;
      }
      for (const char* suffix : {"-shm", "-journal"}) {
        if (auto removed = disk.remove(path + suffix); !removed) return removed;
      }
      quarantined = std::filesystem::absolute(*aside).string();
    }
    if (auto renamed = disk.rename(fresh, path); !renamed) return renamed;
    return disk.sync_directory(data_dir);
  }

  Result<std::string> free_name(const std::string& base) {
    std::string name = base;
    for (int n = 2;; ++n) {
      const auto taken = exists(disk, name);
      if (!taken) return taken.error();
      const auto log_taken = exists(disk, name + "-wal");
      if (!log_taken) return log_taken.error();
      if (!*taken && !*log_taken) return name;
      name = base + "-" + std::to_string(n);
    }
  }

  // Builds the store anew from what can be read, through the open connection or else from the file.
  Result<void> rebuild(std::uint64_t next_file_id) {
    CheckpointScan scan;
    if (database.is_open()) {
      if (sqlite3_get_autocommit(database.handle()) == 0) (void)database.execute("ROLLBACK");
      scan = scan_checkpoints(database);
    } else if (auto there = exists(disk, path); there && *there) {
      // Read-only: evidence stays as it is.
      if (auto damaged = SqliteDatabase::open(path, SQLITE_OPEN_READONLY, disk.sqlite_vfs())) {
        scan = scan_checkpoints(*damaged);
      }
    }
    // A disk that fails for a moment is no reason to forget what is on it.
    if (scan.failed) return on_store(std::move(*scan.failed), path);
    const std::uint64_t known = std::max({scan.next_file_id, scan.file_id_max + 1, next_file_id});
    const std::string fresh = path + ".new";
    if (auto built = build(disk, fresh, scan.content, known + kFileIdLeap); !built) {
      return on_store(std::move(built).error(), fresh);
    }
    // Before the new store is in place: a closing connection deletes companions by name.
    close();
    if (auto installed = install(fresh); !installed) return installed;
    lost += scan.damaged();
    stored_next_file_id = known + kFileIdLeap;
    return connect();
  }

  Result<void> open() {
    auto has_store = exists(disk, path);
    if (!has_store) return has_store.error();
    const auto has_log = exists(disk, path + "-wal");
    if (!has_log) return has_log.error();
    if (!*has_store && !*has_log) {
      const std::string fresh = path + ".new";
      if (auto built = build(disk, fresh, {}, 1); !built) return on_store(std::move(built).error(), fresh);
      if (auto installed = install(fresh); !installed) return installed;
      has_store = true;
    }
    auto connected = *has_store ? connect() : Result<void>(Error{Errc::kCorrupt, 0, path + " is missing"});
    if (!connected && connected.error().code == Errc::kCorrupt) return rebuild(1);
    return connected;
  }

  // Somebody deleted or replaced the file: what is committed to it would be lost with it.
  bool moved() const {
    const auto status = disk.status(path);
    if (!status) return status.error().code == Errc::kNotFound;
    return FileKey{status->device, status->inode} != key;
  }

  Result<void> commit(const CheckpointChanges& changes, std::uint64_t next_file_id) {
    if (!database.is_open()) {
      // An earlier rebuild() failed half-way, say on a full disk.
      if (auto opened = open(); !opened) return opened;
    }
    auto committed = [&]() -> Result<void> {
      if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return begun;
      if (auto wrote = writer->write(changes); !wrote) return wrote;
      if (next_file_id != stored_next_file_id) {
        if (auto wrote = writer->write_next_file_id(next_file_id); !wrote) return wrote;
      }
      return database.execute("COMMIT");
    }();
    if (committed) {
      stored_next_file_id = next_file_id;
    } else if (sqlite3_get_autocommit(database.handle()) == 0) {
      (void)database.execute("ROLLBACK");
    }
    return committed;
  }
};

CheckpointStore::CheckpointStore() = default;
CheckpointStore::~CheckpointStore() {
  if (impl_) impl_->close();  // before the lock goes
}

Result<std::unique_ptr<CheckpointStore>> CheckpointStore::open(const std::string& data_dir) {
  auto lock = DataDirLock::acquire(data_dir);
  if (!lock) return std::move(lock).error();
  return open(std::make_unique<Impl>(posix_disk(), std::move(*lock), data_dir));
}

Result<std::unique_ptr<CheckpointStore>> CheckpointStore::open(const std::string& data_dir, Disk& disk) {
  return open(std::make_unique<Impl>(disk, std::nullopt, data_dir));
}

Result<std::unique_ptr<CheckpointStore>> CheckpointStore::open(std::unique_ptr<Impl> impl) {
  std::unique_ptr<CheckpointStore> store(new CheckpointStore());
  store->impl_ = std::move(impl);
  if (auto opened = store->impl_->open(); !opened) return std::move(opened).error();
  store->quarantined_ = store->impl_->quarantined;

  const CheckpointScan scan = scan_checkpoints(store->impl_->database);
  if (scan.failed) return on_store(*scan.failed, store->impl_->path);
  std::uint64_t next = std::max(scan.next_file_id, scan.file_id_max + 1);
  if (scan.next_file_id == 0) next += kFileIdLeap;
  store->impl_->stored_next_file_id = scan.next_file_id;
  store->next_file_id_.store(next, std::memory_order_relaxed);
  return store;
}

Result<void> CheckpointStore::keep_for_this_run_only() {
  const std::lock_guard lock(mutex_);
  return impl_->database.execute("PRAGMA synchronous = OFF");
}

Result<CheckpointContent> CheckpointStore::load(std::uint64_t* damaged) {
  const std::lock_guard lock(mutex_);
  CheckpointScan scan = scan_checkpoints(impl_->database);
  if (scan.failed) return on_store(*scan.failed, impl_->path);
  if (!scan.complete) {
    // Damage that the check at the start does not look for.
    auto rebuilt = impl_->rebuild(next_file_id_.load(std::memory_order_relaxed));
    quarantined_ = impl_->quarantined;
    if (!rebuilt) return std::move(rebuilt).error();
    scan = scan_checkpoints(impl_->database);
    if (scan.failed) return on_store(*scan.failed, impl_->path);
  }
  std::unordered_set<std::uint64_t> known;
  for (const FileRecord& file : scan.content.files) known.insert(file.id);
  const auto is_orphan = [&](const auto& record) { return !known.contains(record.file_id); };
  const std::size_t orphans =
      std::erase_if(scan.content.cursors, is_orphan) + std::erase_if(scan.content.ranges, is_orphan);
  if (scan.damaged() > 0 || orphans > 0) {
    // Only tidiness: what cannot be moved now is left out all the same, and met again by the next load().
    (void)set_damaged_aside(impl_->database, scan, wall_now_ns());
  }
  if (damaged != nullptr) *damaged = scan.damaged() + std::exchange(impl_->lost, 0);
  return std::move(scan.content);
}

Result<void> CheckpointStore::commit(const CheckpointChanges& changes) {
  if (changes.empty()) return {};
  const std::lock_guard lock(mutex_);
  for (const FileRecord& file : changes.files) {
    if (file.id == 0 || file.id > kFileIdMax) {
      return Error{Errc::kInvalidArgument, 0, "no file has the id " + std::to_string(file.id)};
    }
    std::uint64_t next = next_file_id_.load(std::memory_order_relaxed);
    while (next <= file.id && !next_file_id_.compare_exchange_weak(next, file.id + 1)) {
    }
  }
  const auto next_file_id = [this] { return next_file_id_.load(std::memory_order_relaxed); };
  if (impl_->database.is_open() && impl_->moved()) {
    if (auto rebuilt = impl_->rebuild(next_file_id()); !rebuilt) return rebuilt;
  }
  auto committed = impl_->commit(changes, next_file_id());
  if (!committed && committed.error().code == Errc::kCorrupt) {
    auto rebuilt = impl_->rebuild(next_file_id());
    committed = rebuilt ? impl_->commit(changes, next_file_id()) : std::move(rebuilt);
  }
  quarantined_ = impl_->quarantined;
  if (!committed) return on_store(std::move(committed).error(), impl_->path);
  return {};
}

namespace {

Result<SqliteDatabase> open_read_only(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return errno_error("open " + path);
  auto database = SqliteDatabase::open(path, SQLITE_OPEN_READONLY);
  if (!database) return std::move(database).error();
  auto checked = check_checkpoint_schema(*database);
  // Without write permission a store that nobody has open cannot be opened in WAL mode either; nothing
  // changes it, so it can be read as it is.
  if (!checked && checked.error().code != Errc::kUnsupported && checked.error().code != Errc::kCorrupt &&
      ::stat((path + "-wal").c_str(), &info) != 0) {
    std::string uri = "file:";
    for (const char c : std::filesystem::absolute(path).string()) {
      if (c == '%' || c == '?' || c == '#') {
        char escaped[4];
        std::snprintf(escaped, sizeof escaped, "%%%02X", static_cast<unsigned>(c));
        uri += escaped;
      } else {
        uri += c;
      }
    }
    database = SqliteDatabase::open(uri + "?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
    if (!database) return std::move(database).error();
    checked = check_checkpoint_schema(*database);
  }
  if (!checked) return on_store(std::move(checked).error(), path);
  return database;
}

}  // namespace

Result<CheckpointContent> CheckpointStore::read(const std::string& data_dir, std::uint64_t* damaged) {
  const std::string path = path_in(data_dir);
  auto database = open_read_only(path);
  if (!database) return std::move(database).error();
  CheckpointScan scan = scan_checkpoints(*database);
  if (scan.failed) return on_store(*scan.failed, path);
  if (damaged != nullptr) *damaged = scan.damaged();
  return std::move(scan.content);
}

Result<CheckpointContent> CheckpointStore::read_page(const std::string& data_dir, std::uint64_t after,
                                                     std::size_t files_max, std::uint64_t* damaged) {
  const std::string path = path_in(data_dir);
  auto database = open_read_only(path);
  if (!database) return std::move(database).error();
  std::uint64_t rows = 0;
  auto page = read_checkpoint_page(*database, after, files_max, rows);
  if (!page) return on_store(std::move(page).error(), path);
  if (damaged != nullptr) *damaged = rows;
  return page;
}

}  // namespace logflume
