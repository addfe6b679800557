#include "simulation/sqlite_vfs.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <new>

namespace logflume {

struct SqliteVfs::File {
  sqlite3_file base;  // first: SQLite knows only this
  SqliteVfs* vfs;
  DiskFile* file;
  std::string* path;
  bool sync_directory;  // its name is not durable yet
  bool delete_on_close;
  bool has_shared_memory;
};

// SQLite's calls, which know an object by its first member.
struct SqliteVfs::Calls {
  static File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
  static SqliteVfs& of(sqlite3_vfs* vfs) { return *static_cast<SqliteVfs*>(vfs->pAppData); }
  static int failed(SqliteVfs& vfs, const Error& error, int code) {
    vfs.last_errno_ = error.os_errno;
    return error.os_errno == ENOSPC ? SQLITE_FULL : code;
  }

  static int close(sqlite3_file* base) {
    File& file = of(base);
    unmap(base, 0);
    if (file.delete_on_close) (void)file.vfs->disk_.remove(*file.path);
    delete file.file;
    delete file.path;
    return SQLITE_OK;
  }
  static int read(sqlite3_file* base, void* into, int bytes, sqlite3_int64 offset) {
    const auto size = static_cast<std::size_t>(bytes);
    const auto got =
        of(base).file->read(static_cast<std::uint64_t>(offset), {static_cast<char*>(into), size});
    if (!got) return failed(*of(base).vfs, got.error(), SQLITE_IOERR_READ);
    if (*got == size) return SQLITE_OK;
    std::memset(static_cast<char*>(into) + *got, 0, size - *got);
    return SQLITE_IOERR_SHORT_READ;
  }
  static int write(sqlite3_file* base, const void* from, int bytes, sqlite3_int64 offset) {
    iovec piece{const_cast<void*>(from), static_cast<std::size_t>(bytes)};
    const auto written = write_all(*of(base).file, static_cast<std::uint64_t>(offset), {&piece, 1});
    return written ? SQLITE_OK : failed(*of(base).vfs, written.error(), SQLITE_IOERR_WRITE);
  }
  static int truncate(sqlite3_file* base, sqlite3_int64 size) {
    const auto cut = of(base).file->truncate(static_cast<std::uint64_t>(size));
    return cut ? SQLITE_OK : failed(*of(base).vfs, cut.error(), SQLITE_IOERR_TRUNCATE);
  }
  static int sync(sqlite3_file* base, int) {
    File& file = of(base);
    if (const auto synced = file.file->sync(); !synced) {
      return failed(*file.vfs, synced.error(), SQLITE_IOERR_FSYNC);
    }
    if (!file.sync_directory) return SQLITE_OK;
    if (const auto synced = file.vfs->disk_.sync_directory(parent_directory(*file.path)); !synced) {
      return failed(*file.vfs, synced.error(), SQLITE_IOERR_DIR_FSYNC);
    }
    file.sync_directory = false;
    return SQLITE_OK;
  }
  static int size(sqlite3_file* base, sqlite3_int64* bytes) {
    const auto status = of(base).file->status();
    if (!status) return failed(*of(base).vfs, status.error(), SQLITE_IOERR_FSTAT);
    *bytes = static_cast<sqlite3_int64>(status->size_bytes);
    return SQLITE_OK;
  }
  static int lock(sqlite3_file*, int) { return SQLITE_OK; }
  static int reserved(sqlite3_file*, int* held) {
    *held = 0;
    return SQLITE_OK;
  }
  static int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int sector_size(sqlite3_file*) { return 4096; }
  // As SQLite has it for every disk: a write does not change what stands beside it.
  static int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  static int map(sqlite3_file* base, int index, int bytes, int extend, void volatile** region) {
    File& file = of(base);
    SharedMemory& memory = file.vfs->shared_memory_[*file.path];
    if (!file.has_shared_memory) {
      file.has_shared_memory = true;
      ++memory.users;
    }
    const auto at = static_cast<std::size_t>(index);
    while (extend != 0 && memory.regions.size() <= at) {
      memory.regions.push_back(std::make_unique<char[]>(static_cast<std::size_t>(bytes)));
    }
    *region = at < memory.regions.size() ? memory.regions[at].get() : nullptr;
    return SQLITE_OK;
  }
  static int lock_shared(sqlite3_file*, int, int, int) { return SQLITE_OK; }
  static void barrier(sqlite3_file*) {}
  static int unmap(sqlite3_file* base, int) {
    File& file = of(base);
    if (!file.has_shared_memory) return SQLITE_OK;
    file.has_shared_memory = false;
    const auto memory = file.vfs->shared_memory_.find(*file.path);
    if (--memory->second.users == 0) file.vfs->shared_memory_.erase(memory);
    return SQLITE_OK;
  }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* base, int flags, int* flags_out) {
    static const sqlite3_io_methods kMethods{
        2,     close,    read,    write,       truncate,        sync, size,        lock,
        lock,  reserved, control, sector_size, characteristics, map,  lock_shared, barrier,
        unmap, nullptr,  nullptr};
    SqliteVfs& self = of(vfs);
    base->pMethods = nullptr;
    if (name == nullptr) return SQLITE_CANTOPEN;  // no temporary files: temp_store is memory
    const bool writes = (flags & SQLITE_OPEN_READWRITE) != 0;
    const bool creates = (flags & SQLITE_OPEN_CREATE) != 0;
    auto file = self.disk_.open(name, writes ? DiskOpen::kWrite : DiskOpen::kRead);
    if (!file && file.error().code == Errc::kNotFound && creates) {
      file = self.disk_.open(name, DiskOpen::kCreate);
    }
    if (!file) return failed(self, file.error(), SQLITE_CANTOPEN);
    constexpr int kJournals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
    new (base) File{{&kMethods},
                    &self,
                    file->release(),
                    new std::string(name),
                    creates && (flags & kJournals) != 0,
                    (flags & SQLITE_OPEN_DELETEONCLOSE) != 0,
                    false};
    if (flags_out != nullptr) *flags_out = flags;
    return SQLITE_OK;
  }
  static int remove(sqlite3_vfs* vfs, const char* name, int sync_directory) {
    SqliteVfs& self = of(vfs);
    if (const auto removed = self.disk_.remove(name); !removed) {
      return failed(self, removed.error(), SQLITE_IOERR_DELETE);
    }
    if (sync_directory == 0) return SQLITE_OK;
    const auto synced = self.disk_.sync_directory(parent_directory(name));
    return synced ? SQLITE_OK : failed(self, synced.error(), SQLITE_IOERR_DIR_FSYNC);
  }
  static int access(sqlite3_vfs* vfs, const char* name, int flags, int* result) {
    const auto status = of(vfs).disk_.status(name);
    if (!status && status.error().code != Errc::kNotFound) {
      return failed(of(vfs), status.error(), SQLITE_IOERR_ACCESS);
    }
    // An empty journal is none, as for SQLite's own file system.
    *result = status && (flags != SQLITE_ACCESS_EXISTS || status->size_bytes > 0) ? 1 : 0;
    return SQLITE_OK;
  }
  static int full_path(sqlite3_vfs*, const char* name, int bytes, char* out) {
    sqlite3_snprintf(bytes, out, "%s", name);
    return SQLITE_OK;
  }
  // Always the same: a simulation repeats itself.
  static int randomness(sqlite3_vfs*, int bytes, char* out) {
    std::memset(out, 0, static_cast<std::size_t>(bytes));
    return bytes;
  }
  static int sleep(sqlite3_vfs*, int microseconds) { return microseconds; }
  static int current_time(sqlite3_vfs*, double* days) {
    *days = 2461000.5;
    return SQLITE_OK;
  }
  static int last_error(sqlite3_vfs* vfs, int, char*) { return of(vfs).last_errno_; }
};

SqliteVfs::SqliteVfs(Disk& disk) : disk_(disk), name_(fmt::format("disk-{}", static_cast<void*>(this))) {
  vfs_.iVersion = 1;
  vfs_.szOsFile = sizeof(File);
  vfs_.mxPathname = 4096;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = &Calls::open;
  vfs_.xDelete = &Calls::remove;
  vfs_.xAccess = &Calls::access;
  vfs_.xFullPathname = &Calls::full_path;
  vfs_.xRandomness = &Calls::randomness;
  vfs_.xSleep = &Calls::sleep;
  vfs_.xCurrentTime = &Calls::current_time;
  vfs_.xGetLastError = &Calls::last_error;
  sqlite3_vfs_register(&vfs_, 0);
}

SqliteVfs::~SqliteVfs() { sqlite3_vfs_unregister(&vfs_); }

}  // namespace logflume
