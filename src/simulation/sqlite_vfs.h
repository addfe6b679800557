// SQLite over a Disk: a virtual file system for one process, one thread and one connection to a database at a
// time, which is what a simulation has. Locks are always granted; the index of the write-ahead log is memory.
#pragma once

#include <sqlite3.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "disk/disk.h"

namespace logflume {

// Lifecycle: registered with SQLite under a name of its own as long as it lives; outlives the connections.
class SqliteVfs {
 public:
  explicit SqliteVfs(Disk& disk);
  ~SqliteVfs();
  SqliteVfs(const SqliteVfs&) = delete;
  SqliteVfs& operator=(const SqliteVfs&) = delete;

  const char* name() const { return name_.c_str(); }

 private:
  struct File;
  struct Calls;
  struct SharedMemory {
    std::vector<std::unique_ptr<char[]>> regions;
    int users = 0;
  };

  Disk& disk_;
  const std::string name_;
  sqlite3_vfs vfs_{};
  std::map<std::string, SharedMemory> shared_memory_;  // by the database's path
  int last_errno_ = 0;
};

}  // namespace logflume
