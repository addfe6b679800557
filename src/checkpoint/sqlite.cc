#include "checkpoint/sqlite.h"

#include <cerrno>
#include <utility>

namespace logflume {

SqliteStatement& SqliteStatement::bind(int index, std::int64_t value) {
  sqlite3_bind_int64(statement_.get(), index, value);
  return *this;
}

SqliteStatement& SqliteStatement::bind_bytes(int index, std::string_view bytes) {
  // A null pointer would bind NULL, not an empty value.
  const char* data = bytes.empty() ? "" : bytes.data();
  sqlite3_bind_blob64(statement_.get(), index, data, bytes.size(), SQLITE_STATIC);
  return *this;
}

Result<bool> SqliteStatement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  sqlite3* handle = sqlite3_db_handle(statement_.get());
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  Error error = sqlite_error(handle, code, "checkpoints");
  reset();
  return error;
}

void SqliteStatement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::string_view SqliteStatement::bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (data == nullptr || size <= 0) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

Result<SqliteDatabase> SqliteDatabase::open(const std::string& path, int flags, const char* vfs) {
  sqlite3* handle = nullptr;
  // NOMUTEX: the store is used by one thread at a time.
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, vfs);
  SqliteDatabase database;
  database.handle_.reset(handle);
  if (handle == nullptr) return Error{Errc::kNoMemory, ENOMEM, "open " + path};
  sqlite3_extended_result_codes(handle, 1);
  if (code != SQLITE_OK) return sqlite_error(handle, code, "open " + path);
  sqlite3_busy_timeout(handle, 5000);
  // The file may have been written by anyone: nothing in its schema is to be run.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  return database;
}

Result<void> SqliteDatabase::execute(const char* sql) {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return sqlite_error(handle_.get(), code, "checkpoints");
  return {};
}

Result<SqliteStatement> SqliteDatabase::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return sqlite_error(handle_.get(), code, "checkpoints");
  return SqliteStatement(statement);
}

Result<std::string> SqliteDatabase::query_text(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return std::move(statement).error();
  const auto row = statement->step();
  if (!row) return row.error();
  return *row ? std::string(statement->bytes(0)) : std::string();
}

Result<std::int64_t> SqliteDatabase::query_integer(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return std::move(statement).error();
  const auto row = statement->step();
  if (!row) return row.error();
  return *row ? statement->integer(0) : 0;
}

Error sqlite_error(sqlite3* handle, int code, std::string message) {
  const std::string reason = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  const int os_errno = handle != nullptr ? sqlite3_system_errno(handle) : 0;
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_SCHEMA:
      return Error{Errc::kCorrupt, 0, message + ": " + reason};
    case SQLITE_FULL:
      return Error{Errc::kIo, ENOSPC, std::move(message)};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return Error{Errc::kBusy, 0, message + ": " + reason};
    case SQLITE_NOMEM:
      return Error{Errc::kNoMemory, ENOMEM, std::move(message)};
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      return Error{Errc::kPermission, 0, message + ": " + reason};
    case SQLITE_CANTOPEN:
      if (os_errno != 0) return errno_error(os_errno, std::move(message));
      return Error{Errc::kIo, 0, message + ": " + reason};
    case SQLITE_IOERR:
      // The file ends where a page should be: cut short, not a failing disk.
      if (code == SQLITE_IOERR_SHORT_READ) return Error{Errc::kCorrupt, 0, message + ": " + reason};
      if (os_errno != 0) return Error{Errc::kIo, os_errno, message + ": " + reason};
      return Error{Errc::kIo, 0, message + ": " + reason};
    default:
      // A statement that does not fit the schema: not the tables that were written.
      return Error{code == SQLITE_ERROR ? Errc::kCorrupt : Errc::kIo, 0, message + ": " + reason};
  }
}

}  // namespace logflume
