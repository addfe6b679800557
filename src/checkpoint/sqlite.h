// The little of SQLite's API that the checkpoint store needs, with owned handles and Results.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace logflume {

// Threads: one at a time, its statements included.
class SqliteStatement {
 public:
  SqliteStatement() = default;
  explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}

  // Parameters count from 1. Bytes are not copied: they have to live until the statement is reset.
  SqliteStatement& bind(int index, std::int64_t value);
  SqliteStatement& bind_bytes(int index, std::string_view bytes);

  // True: a row stands in the columns. False: done, and reset.
  Result<bool> step();
  void reset();

  // Columns count from 0.
  bool is_integer(int column) const { return type(column) == SQLITE_INTEGER; }
  bool is_bytes(int column) const { return type(column) == SQLITE_BLOB; }
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  std::string_view bytes(int column) const;  // until the next step()

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  int type(int column) const { return sqlite3_column_type(statement_.get(), column); }
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class SqliteDatabase {
 public:
  SqliteDatabase() = default;

  // `flags`: SQLITE_OPEN_*. `vfs`: the virtual file system's name; null: the system's. Errors as
  // sqlite_error() makes them.
  static Result<SqliteDatabase> open(const std::string& path, int flags, const char* vfs = nullptr);

  bool is_open() const { return handle_ != nullptr; }
  // Finalize statements first.
  void close() { handle_.reset(); }
  sqlite3* handle() const { return handle_.get(); }

  // Statements without results, or whose results do not matter.
  Result<void> execute(const char* sql);
  Result<SqliteStatement> prepare(std::string_view sql);
  // First column of the first row; an empty text when there is none.
  Result<std::string> query_text(std::string_view sql);
  Result<std::int64_t> query_integer(std::string_view sql);

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  std::unique_ptr<sqlite3, Close> handle_;
};

// The Error of the last failed call. kCorrupt: the file is damaged or no database; kIo with ENOSPC: no space
// left; kBusy: another process holds it.
Error sqlite_error(sqlite3* handle, int code, std::string message);

}  // namespace logflume
