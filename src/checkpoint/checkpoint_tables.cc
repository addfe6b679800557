#include "checkpoint/checkpoint_tables.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace logflume {
namespace {

// rowid tables with an index, not WITHOUT ROWID: when a page is damaged, rows behind it can still be asked
// for by number.
struct SchemaObject {
  std::string_view name;
  std::string_view sql;  // as sqlite_schema gives it back
};
constexpr SchemaObject kSchema[] = {
    {"files",
     "CREATE TABLE files(id INTEGER PRIMARY KEY, source BLOB, path BLOB, device INTEGER, inode INTEGER, "
     "birth_ns INTEGER, prefix_bytes INTEGER, prefix_hash INTEGER, gone INTEGER, finished INTEGER, "
     "size_bytes INTEGER, updated_ns INTEGER, "
     "checksum INTEGER)"},
    {"cursors",
     "CREATE TABLE cursors(row INTEGER PRIMARY KEY, file_id INTEGER, sink BLOB, \"offset\" INTEGER, "
     "seam_bytes INTEGER, seam_hash INTEGER, begin_offset INTEGER, delivered_bytes INTEGER, "
     "delivered_events INTEGER, checksum INTEGER)"},
    {"cursors_by_file_and_sink", "CREATE UNIQUE INDEX cursors_by_file_and_sink ON cursors(file_id, sink)"},
    {"sink_state",
     "CREATE TABLE sink_state(row INTEGER PRIMARY KEY, sink BLOB, key BLOB, value BLOB, checksum INTEGER)"},
    {"sink_state_by_sink_and_key", "CREATE UNIQUE INDEX sink_state_by_sink_and_key ON sink_state(sink, key)"},
    {"ranges",
     "CREATE TABLE ranges(row INTEGER PRIMARY KEY, file_id INTEGER, sink BLOB, begin_offset INTEGER, "
     "end_offset INTEGER, kind INTEGER, reason BLOB, bytes INTEGER, events INTEGER, updated_ns INTEGER, "
     "checksum INTEGER)"},
    {"ranges_by_place",
     "CREATE UNIQUE INDEX ranges_by_place ON ranges(file_id, sink, kind, reason, begin_offset)"},
    {"meta", "CREATE TABLE meta(row INTEGER PRIMARY KEY, value INTEGER, checksum INTEGER)"},
    {"damaged", "CREATE TABLE damaged(row INTEGER PRIMARY KEY, found_ns INTEGER, origin TEXT, content TEXT)"},
};
// Version 1 had no ranges, and cursors as here.
constexpr std::string_view kCursorsV1 =
    "CREATE TABLE cursors(row INTEGER PRIMARY KEY, file_id INTEGER, sink BLOB, \"offset\" INTEGER, "
    "seam_bytes INTEGER, seam_hash INTEGER, checksum INTEGER)";
constexpr std::string_view kBeforeAudit = "before_audit";

// What it must say in a store of that version; empty: it has none.
std::string_view sql_of(const SchemaObject& object, std::int64_t version) {
  if (version > 1) return object.sql;
  if (object.name == "cursors") return kCursorsV1;
  return object.name.starts_with("ranges") ? std::string_view() : object.sql;
}

constexpr std::int64_t kMetaNextFileId = 1;
constexpr int kDamagedRowsMax = 10'000;
constexpr std::int64_t kMissesMax = 50'000;  // more rows than one damaged page can hide

// XXH3 over the canonical bytes of a row: the table's name, then each column in order, an integer as 8 bytes
// little-endian, bytes as their length (8 bytes little-endian) and themselves.
class RowChecksum {
 public:
  explicit RowChecksum(std::string_view table) { add(table); }
  RowChecksum& add(std::int64_t value) {
    char bytes[8];
    auto rest = static_cast<std::uint64_t>(value);
    for (char& byte : bytes) {
      byte = static_cast<char>(rest & 0xff);
      rest >>= 8;
    }
    canonical_.append(bytes, sizeof bytes);
    return *this;
  }
  RowChecksum& add(std::uint64_t value) { return add(static_cast<std::int64_t>(value)); }
  RowChecksum& add(std::string_view bytes) {
    add(static_cast<std::int64_t>(bytes.size()));
    canonical_.append(bytes);
    return *this;
  }
  std::int64_t value() const {
    return static_cast<std::int64_t>(XXH3_64bits(canonical_.data(), canonical_.size()));
  }

 private:
  std::string canonical_;
};

std::int64_t stored(std::uint64_t value) { return static_cast<std::int64_t>(value); }

std::int64_t checksum(const FileRecord& file) {
  return RowChecksum("files")
      .add(file.id)
      .add(file.source)
      .add(file.path)
      .add(file.device)
      .add(file.inode)
      .add(file.birth_ns)
      .add(std::uint64_t{file.prefix_bytes})
      .add(file.prefix_hash)
      .add(std::int64_t{file.gone})
      .add(std::int64_t{file.finished})
      .add(file.size_bytes)
      .add(file.updated_ns)
      .value();
}

RowChecksum checksum_v1(const CursorRecord& cursor) {
  return RowChecksum("cursors")
      .add(cursor.file_id)
      .add(cursor.sink)
      .add(cursor.offset)
      .add(std::uint64_t{cursor.seam_bytes})
      .add(cursor.seam_hash);
}

std::int64_t checksum(const CursorRecord& cursor) {
  return checksum_v1(cursor)
      .add(cursor.begin)
      .add(cursor.delivered_bytes)
      .add(cursor.delivered_events)
      .value();
}

std::int64_t checksum(const RangeRecord& range) {
  return RowChecksum("ranges")
      .add(range.file_id)
      .add(range.sink)
      .add(range.begin)
      .add(range.end)
      .add(static_cast<std::int64_t>(range.kind))
      .add(range.reason)
      .add(range.bytes)
      .add(range.events)
      .add(range.updated_ns)
      .value();
}

std::int64_t checksum(const SinkStateRecord& state) {
  return RowChecksum("sink_state").add(state.sink).add(state.key).add(state.value).value();
}

std::int64_t meta_checksum(std::int64_t key, std::int64_t value) {
  return RowChecksum("meta").add(key).add(value).value();
}

// How a record is read from columns 1, 2, ... of a row; column 0 is its rowid. False: damaged.
template <typename Record>
struct Table;

bool fits_u32(std::int64_t value) { return value >= 0 && value <= std::numeric_limits<std::uint32_t>::max(); }
bool is_file_id(std::int64_t id) { return id > 0 && static_cast<std::uint64_t>(id) <= kFileIdMax; }
std::uint64_t u64(std::int64_t value) { return static_cast<std::uint64_t>(value); }

template <>
struct Table<FileRecord> {
  static constexpr std::string_view kName = "files";
  static constexpr std::string_view kKey = "id";
  static constexpr std::string_view kColumns =
      "source, path, device, inode, birth_ns, prefix_bytes, prefix_hash, gone, finished, size_bytes, "
      "updated_ns, checksum";
  static bool decode(const SqliteStatement& row, FileRecord& file) {
    if (!row.is_bytes(1) || !row.is_bytes(2)) return false;
    for (int column = 3; column <= 12; ++column) {
      if (!row.is_integer(column)) return false;
    }
    if (!is_file_id(row.integer(0)) || !fits_u32(row.integer(6)) || u64(row.integer(8)) > 1 ||
        u64(row.integer(9)) > 1)
      return false;
    file.id = u64(row.integer(0));
    file.source = row.bytes(1);
    file.path = row.bytes(2);
    file.device = u64(row.integer(3));
    file.inode = u64(row.integer(4));
    file.birth_ns = row.integer(5);
    file.prefix_bytes = static_cast<std::uint32_t>(row.integer(6));
    file.prefix_hash = u64(row.integer(7));
    file.gone = row.integer(8) == 1;
    file.finished = row.integer(9) == 1;
    file.size_bytes = u64(row.integer(10));
    file.updated_ns = row.integer(11);
    return row.integer(12) == checksum(file);
  }
};

// Columns that both versions have.
bool decode_cursor(const SqliteStatement& row, CursorRecord& cursor, int last_column) {
  if (!row.is_integer(1) || !row.is_bytes(2)) return false;
  for (int column = 3; column <= last_column; ++column) {
    if (!row.is_integer(column)) return false;
  }
  if (!is_file_id(row.integer(1)) || !fits_u32(row.integer(4))) return false;
  cursor.file_id = u64(row.integer(1));
  cursor.sink = row.bytes(2);
  cursor.offset = u64(row.integer(3));
  cursor.seam_bytes = static_cast<std::uint32_t>(row.integer(4));
  cursor.seam_hash = u64(row.integer(5));
  return true;
}

template <>
struct Table<CursorRecord> {
  static constexpr std::string_view kName = "cursors";
  static constexpr std::string_view kKey = "row";
  static constexpr std::string_view kColumns =
      "file_id, sink, \"offset\", seam_bytes, seam_hash, begin_offset, delivered_bytes, delivered_events, "
      "checksum";
  static bool decode(const SqliteStatement& row, CursorRecord& cursor) {
    if (!decode_cursor(row, cursor, 9)) return false;
    cursor.begin = u64(row.integer(6));
    cursor.delivered_bytes = u64(row.integer(7));
    cursor.delivered_events = u64(row.integer(8));
    return row.integer(9) == checksum(cursor);
  }
};

struct CursorRecordV1 : CursorRecord {};
template <>
struct Table<CursorRecordV1> {
  static constexpr std::string_view kName = "cursors";
  static constexpr std::string_view kKey = "row";
  static constexpr std::string_view kColumns = "file_id, sink, \"offset\", seam_bytes, seam_hash, checksum";
  static bool decode(const SqliteStatement& row, CursorRecordV1& cursor) {
    return decode_cursor(row, cursor, 6) && row.integer(6) == checksum_v1(cursor).value();
  }
};

template <>
struct Table<RangeRecord> {
  static constexpr std::string_view kName = "ranges";
  static constexpr std::string_view kKey = "row";
  static constexpr std::string_view kColumns =
      "file_id, sink, begin_offset, end_offset, kind, reason, bytes, events, updated_ns, checksum";
  static bool decode(const SqliteStatement& row, RangeRecord& range) {
    for (const int column : {1, 3, 4, 5, 7, 8, 9, 10}) {
      if (!row.is_integer(column)) return false;
    }
    if (!row.is_bytes(2) || !row.is_bytes(6) || !is_file_id(row.integer(1))) return false;
    if (row.integer(5) < 1 || row.integer(5) > static_cast<std::int64_t>(kRangeKindMax)) return false;
    range.file_id = u64(row.integer(1));
    range.sink = row.bytes(2);
    range.begin = u64(row.integer(3));
    range.end = u64(row.integer(4));
    range.kind = static_cast<RangeKind>(row.integer(5));
    range.reason = row.bytes(6);
    range.bytes = u64(row.integer(7));
    range.events = u64(row.integer(8));
    range.updated_ns = row.integer(9);
    return range.begin < range.end && range.bytes <= range.end - range.begin &&
           row.integer(10) == checksum(range);
  }
};

template <>
struct Table<SinkStateRecord> {
  static constexpr std::string_view kName = "sink_state";
  static constexpr std::string_view kKey = "row";
  static constexpr std::string_view kColumns = "sink, key, value, checksum";
  static bool decode(const SqliteStatement& row, SinkStateRecord& state) {
    if (!row.is_bytes(1) || !row.is_bytes(2) || !row.is_bytes(3) || !row.is_integer(4)) return false;
    state.sink = row.bytes(1);
    state.key = row.bytes(2);
    state.value = row.bytes(3);
    return row.integer(4) == checksum(state);
  }
};

// Keeps the first error that is the disk's and no damage.
void note_failure(const Error& error, std::optional<Error>& failed) {
  if (error.code != Errc::kCorrupt && !failed) failed = error;
}

// Whether the table is there as this version creates it, or that one: no view, no virtual table, nothing that
// runs code.
bool has_table(SqliteDatabase& database, std::string_view name, std::optional<Error>& failed,
               std::int64_t version = kCheckpointFormatVersion) {
  auto statement =
      database.prepare("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = CAST(? AS TEXT)");
  if (!statement) {
    note_failure(statement.error(), failed);
    return false;
  }
  statement->bind_bytes(1, name);
  const auto row = statement->step();
  if (!row) note_failure(row.error(), failed);
  if (!row || !*row) return false;
  for (const SchemaObject& object : kSchema) {
    if (object.name == name) return statement->bytes(0) == sql_of(object, version);
  }
  return false;
}

// Reads a table from both ends. Where a damaged page stands between them, the rows in the gap are asked for
// one by one.
template <typename Record>
class TableScan {
 public:
  TableScan(SqliteDatabase& database, std::vector<Record>& records, std::vector<std::int64_t>& damaged,
            std::optional<Error>& failed)
      : database_(database), records_(records), damaged_(damaged), failed_(failed) {}

  // False when something could not be read.
  bool run(std::int64_t version) {
    if (!has_table(database_, Table<Record>::kName, failed_, version)) return false;
    std::optional<std::int64_t> low;
    if (walk("ASC", [&](std::int64_t row) {
          if (low && row <= *low) return false;
          low = row;
          return true;
        })) {
      return true;
    }
    std::optional<std::int64_t> high;
    walk("DESC", [&](std::int64_t row) {
      if ((low && row <= *low) || (high && row >= *high)) return false;
      high = row;
      return true;
    });
    probe(low.value_or(0), high.value_or(std::numeric_limits<std::int64_t>::max()));
    return false;
  }

 private:
  static std::string select() {
    using T = Table<Record>;
    return std::string("SELECT ")
        .append(T::kKey)
        .append(", ")
        .append(T::kColumns)
        .append(" FROM ")
        .append(T::kName)
        .append(" NOT INDEXED ");
  }

  void take(const SqliteStatement& row) {
    Record record;
    if (Table<Record>::decode(row, record)) {
      records_.push_back(std::move(record));
    } else {
      damaged_.push_back(row.integer(0));
    }
  }

  // True when the end was reached. `accept` is asked for each rowid: false ends the walk (a damaged tree may
  // lead in circles).
  template <typename Accept>
  bool walk(const char* direction, Accept accept) {
    auto rows =
        database_.prepare(select() + "ORDER BY " + std::string(Table<Record>::kKey) + " " + direction);
    if (!rows) {
      note_failure(rows.error(), failed_);
      return false;
    }
    while (true) {
      const auto row = rows->step();
      if (!row) {
        note_failure(row.error(), failed_);
        return false;
      }
      if (!*row) return true;
      if (!accept(rows->integer(0))) return false;
      take(*rows);
    }
  }

  void probe(std::int64_t low, std::int64_t high) {
    auto rows = database_.prepare(select() + "WHERE " + std::string(Table<Record>::kKey) + " = ?");
    if (!rows) return;
    low = std::max<std::int64_t>(low, 0);
    std::int64_t missed = 0;  // in a row
    for (std::int64_t row = low; missed < kMissesMax && row < high; ++row) {
      rows->bind(1, row);
      const auto found = rows->step();
      if (!found) note_failure(found.error(), failed_);
      const bool there = found && *found;
      if (there) take(*rows);
      missed = there ? 0 : missed + 1;
      rows->reset();
    }
  }

  SqliteDatabase& database_;
  std::vector<Record>& records_;
  std::vector<std::int64_t>& damaged_;
  std::optional<Error>& failed_;
};

template <typename Record>
bool scan_table(SqliteDatabase& database, std::vector<Record>& records, std::vector<std::int64_t>& damaged,
                std::optional<Error>& failed, std::int64_t version = kCheckpointFormatVersion) {
  return TableScan<Record>(database, records, damaged, failed).run(version);
}

// Rows that `where`, with its two parameters, selects.
template <typename Record>
Result<void> read_rows(SqliteDatabase& database, std::vector<Record>& records, std::uint64_t& damaged,
                       std::string_view where, std::int64_t first, std::int64_t second) {
  using T = Table<Record>;
  std::string sql = "SELECT ";
  sql.append(T::kKey).append(", ").append(T::kColumns).append(" FROM ").append(T::kName);
  auto rows = database.prepare(sql.append(" WHERE ").append(where));
  if (!rows) return std::move(rows).error();
  rows->bind(1, first).bind(2, second);
  for (;;) {
    const auto row = rows->step();
    if (!row) return row.error();
    if (!*row) return {};
    Record record;
    if (T::decode(*rows, record)) {
      records.push_back(std::move(record));
    } else {
      ++damaged;
    }
  }
}

// What was before it is not known to have been delivered by this sink, though it was.
void scan_cursors_v1(SqliteDatabase& database, CheckpointScan& scan, bool& complete) {
  std::vector<CursorRecordV1> cursors;
  complete = scan_table(database, cursors, scan.damaged_cursors, scan.failed, 1);
  for (CursorRecordV1& old : cursors) {
    CursorRecord cursor = std::move(old);
    cursor.begin = cursor.offset;
    if (cursor.offset > 0) {
      scan.content.ranges.push_back({cursor.file_id, cursor.sink, 0, cursor.offset, RangeKind::kSkipped,
                                     std::string(kBeforeAudit), cursor.offset, 0, 0});
    }
    scan.content.cursors.push_back(std::move(cursor));
  }
}

Result<void> step_once(SqliteStatement& statement) {
  auto done = statement.step();
  if (!done) return std::move(done).error();
  return {};
}

template <typename Record>
Result<void> move_to_damaged(SqliteDatabase& database, const std::vector<std::int64_t>& rows,
                             std::int64_t now_ns) {
  if (rows.empty()) return {};
  const std::string name(Table<Record>::kName);
  const std::string key(Table<Record>::kKey);
  // "quote(a) || ', ' || quote(b) ...": the row as SQL would write it, whatever types it has now.
  const std::string columns = key + ", " + std::string(Table<Record>::kColumns);
  std::string content;
  for (std::size_t begin = 0; begin < columns.size();) {
    const std::size_t end = std::min(columns.find(", ", begin), columns.size());
    if (!content.empty()) content += " || ', ' || ";
    content += "quote(" + columns.substr(begin, end - begin) + ")";
    begin = end + 2;
  }
  auto keep = database.prepare("INSERT INTO damaged(found_ns, origin, content) SELECT ?2, '" + name + "', " +
                               content + " FROM " + name + " WHERE " + key + " = ?1");
  if (!keep) return std::move(keep).error();
  auto remove = database.prepare("DELETE FROM " + name + " WHERE " + key + " = ?");
  if (!remove) return std::move(remove).error();
  for (const std::int64_t row : rows) {
    if (auto kept = step_once(keep->bind(1, row).bind(2, now_ns)); !kept) return kept;
    if (auto removed = step_once(remove->bind(1, row)); !removed) return removed;
  }
  return {};
}

// Rows of files that are not known.
template <typename Record>
Result<void> move_orphans(SqliteDatabase& database, std::int64_t now_ns) {
  auto orphans = database.prepare("SELECT row FROM " + std::string(Table<Record>::kName) +
                                  " WHERE file_id NOT IN (SELECT id FROM files)");
  if (!orphans) return std::move(orphans).error();
  std::vector<std::int64_t> rows;
  while (true) {
    const auto row = orphans->step();
    if (!row) return row.error();
    if (!*row) break;
    rows.push_back(orphans->integer(0));
  }
  return move_to_damaged<Record>(database, rows, now_ns);
}

}  // namespace

std::string_view range_kind_name(RangeKind kind) {
  switch (kind) {
    case RangeKind::kSkipped:
      return "skipped";
    case RangeKind::kLost:
      return "lost";
    case RangeKind::kDiscarded:
    case RangeKind::kDiscardedLater:
      return "discarded";
    case RangeKind::kFiltered:
      return "filtered";
  }
  return "unknown";
}

Result<void> create_checkpoint_tables(SqliteDatabase& database) {
  std::string sql = "BEGIN IMMEDIATE;";
  for (const SchemaObject& object : kSchema) sql.append(object.sql).append(";");
  sql += "PRAGMA application_id = " + std::to_string(kCheckpointApplicationId) + ";";
  sql += "PRAGMA user_version = " + std::to_string(kCheckpointFormatVersion) + ";";
  sql += "COMMIT";
  return database.execute(sql.c_str());
}

Result<std::int64_t> check_checkpoint_schema(SqliteDatabase& database) {
  const auto version = database.query_integer("PRAGMA user_version");
  if (!version) return version.error();
  // Far above is no version that anyone will release, but damage.
  if (*version > kCheckpointFormatVersion && *version < 1000) {
    return Error{Errc::kUnsupported, 0,
                 "the checkpoints have format version " + std::to_string(*version) +
                     ", and this logflume knows versions up to " + std::to_string(kCheckpointFormatVersion) +
                     ": start a newer logflume, or move checkpoints.db away to begin without checkpoints"};
  }
  const auto application = database.query_integer("PRAGMA application_id");
  if (!application) return application.error();
  if (*version < kCheckpointFormatVersionMin || *version > kCheckpointFormatVersion ||
      *application != kCheckpointApplicationId) {
    return Error{Errc::kCorrupt, 0, "not a checkpoint store"};
  }
  auto objects = database.prepare(
      "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\'");
  if (!objects) return std::move(objects).error();
  std::size_t known = 0;
  while (true) {
    const auto row = objects->step();
    if (!row) return row.error();
    if (!*row) break;
    bool found = false;
    for (const SchemaObject& object : kSchema) {
      found = found || (objects->bytes(0) == object.name && objects->bytes(1) == sql_of(object, *version));
    }
    if (!found) return Error{Errc::kCorrupt, 0, "an unknown table in the checkpoint store"};
    ++known;
  }
  const auto wanted = std::count_if(std::begin(kSchema), std::end(kSchema), [&](const SchemaObject& object) {
    return !sql_of(object, *version).empty();
  });
  if (known != static_cast<std::size_t>(wanted))
    return Error{Errc::kCorrupt, 0, "a table is missing in the checkpoint store"};
  return *version;
}

Result<void> upgrade_checkpoints(SqliteDatabase& database, std::int64_t now_ns) {
  if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return begun;
  auto upgraded = [&]() -> Result<void> {
    const CheckpointScan scan = scan_checkpoints(database);
    if (!scan.complete) return Error{Errc::kCorrupt, 0, "a damaged page in the checkpoint store"};
    if (auto r = move_to_damaged<CursorRecordV1>(database, scan.damaged_cursors, now_ns); !r) return r;
    std::string sql = "DROP TABLE cursors;";
    for (const SchemaObject& object : kSchema) {
      if (object.name.starts_with("cursors") || object.name.starts_with("ranges"))
        sql.append(object.sql).append(";");
    }
    sql += "PRAGMA user_version = " + std::to_string(kCheckpointFormatVersion);
    if (auto r = database.execute(sql.c_str()); !r) return r;
    auto writer = CheckpointWriter::prepare(database);
    if (!writer) return std::move(writer).error();
    CheckpointChanges changes;
    changes.cursors = scan.content.cursors;
    changes.ranges = scan.content.ranges;
    if (auto r = writer->write(changes); !r) return r;
    return database.execute("COMMIT");
  }();
  if (!upgraded && sqlite3_get_autocommit(database.handle()) == 0) (void)database.execute("ROLLBACK");
  return upgraded;
}

Result<CheckpointWriter> CheckpointWriter::prepare(SqliteDatabase& database) {
  CheckpointWriter writer;
  const std::pair<SqliteStatement*, std::string> statements[] = {
      {&writer.put_file_, "INSERT OR REPLACE INTO files VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
      // An upsert keeps the row and leaves the index alone; REPLACE would write both anew.
      {&writer.put_cursor_,
       "INSERT INTO cursors(file_id, sink, \"offset\", seam_bytes, seam_hash, begin_offset, delivered_bytes, "
       "delivered_events, checksum) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?) "
       "ON CONFLICT(file_id, sink) DO UPDATE SET \"offset\" = excluded.\"offset\", "
       "seam_bytes = excluded.seam_bytes, seam_hash = excluded.seam_hash, "
       "begin_offset = excluded.begin_offset, delivered_bytes = excluded.delivered_bytes, "
       "delivered_events = excluded.delivered_events, checksum = excluded.checksum"},
      {&writer.put_state_,
       "INSERT INTO sink_state(sink, key, value, checksum) VALUES(?, ?, ?, ?) "
       "ON CONFLICT(sink, key) DO UPDATE SET value = excluded.value, checksum = excluded.checksum"},
      {&writer.put_meta_, "INSERT OR REPLACE INTO meta(row, value, checksum) VALUES(?, ?, ?)"},
      {&writer.remove_file_, "DELETE FROM files WHERE id = ?"},
      {&writer.remove_cursors_, "DELETE FROM cursors WHERE file_id = ?"},
      {&writer.remove_sink_, "DELETE FROM cursors WHERE sink = ?"},
      {&writer.remove_state_, "DELETE FROM sink_state WHERE sink = ? AND key = ?"},
      {&writer.find_range_,
       "SELECT row, file_id, sink, begin_offset, end_offset, kind, reason, bytes, events, updated_ns, "
       "checksum "
       "FROM ranges WHERE file_id = ? AND sink = ? AND kind = ? AND reason = ? AND begin_offset <= ? "
       "ORDER BY begin_offset DESC LIMIT 1"},
      {&writer.count_ranges_, "SELECT count(*) FROM ranges WHERE file_id = ? AND sink = ?"},
      {&writer.insert_range_,
       "INSERT OR REPLACE INTO ranges(file_id, sink, begin_offset, end_offset, kind, reason, bytes, events, "
       "updated_ns, checksum) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
      {&writer.grow_range_,
       "UPDATE ranges SET end_offset = ?, bytes = ?, events = ?, updated_ns = ?, checksum = ? WHERE row = ?"},
      {&writer.remove_ranges_, "DELETE FROM ranges WHERE file_id = ?"},
      {&writer.remove_lost_, "DELETE FROM ranges WHERE file_id = ? AND kind = " +
                                 std::to_string(static_cast<int>(RangeKind::kLost))},
      {&writer.remove_cursor_ranges_, "DELETE FROM ranges WHERE file_id = ? AND sink = ?"},
      {&writer.remove_sink_ranges_, "DELETE FROM ranges WHERE sink = ?"},
  };
  for (const auto& [statement, sql] : statements) {
    auto prepared = database.prepare(sql);
    if (!prepared) return std::move(prepared).error();
    *statement = std::move(*prepared);
  }
  return writer;
}

Result<void> CheckpointWriter::write(const CheckpointChanges& changes) {
  for (const std::string& sink : changes.removed_sinks) {
    if (auto removed = step_once(remove_sink_.bind_bytes(1, sink)); !removed) return removed;
    if (auto removed = step_once(remove_sink_ranges_.bind_bytes(1, sink)); !removed) return removed;
  }
  for (const FileRecord& file : changes.files) {
    put_file_.bind(1, stored(file.id))
        .bind_bytes(2, file.source)
        .bind_bytes(3, file.path)
        .bind(4, stored(file.device))
        .bind(5, stored(file.inode))
        .bind(6, file.birth_ns)
        .bind(7, std::int64_t{file.prefix_bytes})
        .bind(8, stored(file.prefix_hash))
        .bind(9, std::int64_t{file.gone})
        .bind(10, std::int64_t{file.finished})
        .bind(11, stored(file.size_bytes))
        .bind(12, file.updated_ns)
        .bind(13, checksum(file));
    if (auto put = step_once(put_file_); !put) return put;
  }
  for (const CursorRecord& cursor : changes.cursors) {
    put_cursor_.bind(1, stored(cursor.file_id))
        .bind_bytes(2, cursor.sink)
        .bind(3, stored(cursor.offset))
        .bind(4, std::int64_t{cursor.seam_bytes})
        .bind(5, stored(cursor.seam_hash))
        .bind(6, stored(cursor.begin))
        .bind(7, stored(cursor.delivered_bytes))
        .bind(8, stored(cursor.delivered_events))
        .bind(9, checksum(cursor));
    if (auto put = step_once(put_cursor_); !put) return put;
  }
  for (const SinkStateRecord& state : changes.states) {
    SqliteStatement& statement = state.value.empty() ? remove_state_ : put_state_;
    statement.bind_bytes(1, state.sink).bind_bytes(2, state.key);
    if (!state.value.empty()) statement.bind_bytes(3, state.value).bind(4, checksum(state));
    if (auto put = step_once(statement); !put) return put;
  }
  for (const std::uint64_t id : changes.found_files) {
    if (auto removed = step_once(remove_lost_.bind(1, stored(id))); !removed) return removed;
  }
  for (const CursorReset& reset : changes.resets) {
    remove_cursor_ranges_.bind(1, stored(reset.file_id)).bind_bytes(2, reset.sink);
    if (auto removed = step_once(remove_cursor_ranges_); !removed) return removed;
  }
  for (const RangeRecord& range : changes.ranges) {
    if (auto added = add_range(range); !added) return added;
  }
  for (const std::uint64_t id : changes.removed_files) {
    for (SqliteStatement* remove : {&remove_file_, &remove_cursors_, &remove_ranges_}) {
      if (auto removed = step_once(remove->bind(1, stored(id))); !removed) return removed;
    }
  }
  return {};
}

Result<void> CheckpointWriter::add_range(const RangeRecord& range) {
  if (range.begin >= range.end) return {};
  const auto kind = static_cast<std::int64_t>(range.kind);
  find_range_.bind(1, stored(range.file_id))
      .bind_bytes(2, range.sink)
      .bind(3, kind)
      .bind_bytes(4, range.reason)
      .bind(5, stored(range.begin));
  auto found = find_range_.step();
  if (!found) return std::move(found).error();
  RangeRecord before;
  const bool known = *found && Table<RangeRecord>::decode(find_range_, before);
  const std::int64_t row = known ? find_range_.integer(0) : 0;
  find_range_.reset();
  if (known && before.end >= range.end) return {};

  bool grows = known && before.end >= range.begin;
  if (known && !grows) {
    auto counted = count_ranges_.bind(1, stored(range.file_id)).bind_bytes(2, range.sink).step();
    if (!counted) return std::move(counted).error();
    grows = count_ranges_.integer(0) >= CheckpointStore::kRangesMax;
    count_ranges_.reset();
  }
  RangeRecord next = range;
  if (grows) {
    const std::uint64_t again = before.end > range.begin ? before.end - range.begin : 0;
    next.begin = before.begin;
    next.bytes = before.bytes + (range.bytes > again ? range.bytes - again : 0);
    next.events = before.events + range.events;
    grow_range_.bind(1, stored(next.end))
        .bind(2, stored(next.bytes))
        .bind(3, stored(next.events))
        .bind(4, next.updated_ns)
        .bind(5, checksum(next))
        .bind(6, row);
    return step_once(grow_range_);
  }
  insert_range_.bind(1, stored(next.file_id))
      .bind_bytes(2, next.sink)
      .bind(3, stored(next.begin))
      .bind(4, stored(next.end))
      .bind(5, kind)
      .bind_bytes(6, next.reason)
      .bind(7, stored(next.bytes))
      .bind(8, stored(next.events))
      .bind(9, next.updated_ns)
      .bind(10, checksum(next));
  return step_once(insert_range_);
}

Result<void> CheckpointWriter::write_next_file_id(std::uint64_t id) {
  const std::int64_t value = stored(id);
  return step_once(
      put_meta_.bind(1, kMetaNextFileId).bind(2, value).bind(3, meta_checksum(kMetaNextFileId, value)));
}

CheckpointScan scan_checkpoints(SqliteDatabase& database) {
  CheckpointScan scan;
  // One snapshot, and locked once instead of for each row that is asked for.
  const bool begun = sqlite3_get_autocommit(database.handle()) != 0 && database.execute("BEGIN").has_value();
  const bool files = scan_table(database, scan.content.files, scan.damaged_files, scan.failed);
  bool cursors = false;
  bool ranges = true;
  if (has_table(database, "cursors", scan.failed, 1)) {
    scan_cursors_v1(database, scan, cursors);
  } else {
    cursors = scan_table(database, scan.content.cursors, scan.damaged_cursors, scan.failed);
    ranges = scan_table(database, scan.content.ranges, scan.damaged_ranges, scan.failed);
  }
  const bool states = scan_table(database, scan.content.states, scan.damaged_states, scan.failed);
  scan.complete = files && cursors && states && ranges;
  for (const FileRecord& file : scan.content.files) scan.file_id_max = std::max(scan.file_id_max, file.id);
  for (const CursorRecord& cursor : scan.content.cursors) {
    scan.file_id_max = std::max(scan.file_id_max, cursor.file_id);
  }
  if (has_table(database, "meta", scan.failed)) {
    auto meta = database.prepare("SELECT value, checksum FROM meta WHERE row = ?");
    if (meta) {
      const auto row = meta->bind(1, kMetaNextFileId).step();
      if (!row) note_failure(row.error(), scan.failed);
      if (row && *row && meta->is_integer(0) && is_file_id(meta->integer(0)) &&
          meta->integer(1) == meta_checksum(kMetaNextFileId, meta->integer(0))) {
        scan.next_file_id = u64(meta->integer(0));
      }
    }
  }
  if (begun) (void)database.execute("ROLLBACK");
  return scan;
}

Result<CheckpointContent> read_checkpoint_page(SqliteDatabase& database, std::uint64_t after,
                                               std::size_t files_max, std::uint64_t& damaged) {
  CheckpointContent content;
  // One snapshot for the three tables.
  if (auto begun = database.execute("BEGIN"); !begun) return std::move(begun).error();
  auto read = [&]() -> Result<void> {
    const std::int64_t limit = static_cast<std::int64_t>(std::min<std::size_t>(files_max, INT32_MAX));
    if (auto r =
            read_rows(database, content.files, damaged, "id > ? ORDER BY id LIMIT ?", stored(after), limit);
        !r) {
      return r;
    }
    if (content.files.empty()) return {};
    const std::int64_t last = stored(content.files.back().id);
    constexpr std::string_view kOfThese = "file_id > ? AND file_id <= ?";
    if (auto r = read_rows(database, content.cursors, damaged, kOfThese, stored(after), last); !r) return r;
    return read_rows(database, content.ranges, damaged, kOfThese, stored(after), last);
  }();
  (void)database.execute("ROLLBACK");
  if (!read) return std::move(read).error();
  return content;
}

Result<void> set_damaged_aside(SqliteDatabase& database, const CheckpointScan& scan, std::int64_t now_ns) {
  if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return begun;
  auto moved = [&]() -> Result<void> {
    if (auto r = move_to_damaged<FileRecord>(database, scan.damaged_files, now_ns); !r) return r;
    if (auto r = move_to_damaged<CursorRecord>(database, scan.damaged_cursors, now_ns); !r) return r;
    if (auto r = move_to_damaged<SinkStateRecord>(database, scan.damaged_states, now_ns); !r) return r;

    if (auto r = move_to_damaged<RangeRecord>(database, scan.damaged_ranges, now_ns); !r) return r;
    if (auto r = move_orphans<CursorRecord>(database, now_ns); !r) return r;
    if (auto r = move_orphans<RangeRecord>(database, now_ns); !r) return r;
    const std::string trim = "DELETE FROM damaged WHERE row <= (SELECT max(row) FROM damaged) - " +
                             std::to_string(kDamagedRowsMax);
    if (auto r = database.execute(trim.c_str()); !r) return r;
    return database.execute("COMMIT");
  }();
  if (!moved && sqlite3_get_autocommit(database.handle()) == 0) (void)database.execute("ROLLBACK");
  return moved;
}

}  // namespace logflume
