// What a MaxMind DB file (https://maxmind.github.io/MaxMind-DB/, version 2) knows of an address.
#pragma once

#include <maxminddb.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"
#include "base/result.h"
#include "event/columns.h"

namespace logflume {

// Where a value stands in a record: names of maps and places in arrays, as in "subdivisions.0.iso_code".
class GeoPath {
 public:
  static constexpr std::size_t kPartsMax = 16;
  // Nothing when a part is empty or there are too many.
  static std::optional<GeoPath> parse(std::string_view text);
  const std::string& text() const { return text_; }
  const std::vector<std::string>& parts() const { return parts_; }

 private:
  std::string text_;
  std::vector<std::string> parts_;
};

// The file is copied into memory of its own, which libmaxminddb maps: whoever truncates the file or writes
// over it meanwhile does no harm, and what was checked when it was opened stays so.
//
// Threads: immutable; any.
class GeoDatabase {
 public:
  // How many different records are decoded before a database is taken, evenly chosen.
  static constexpr std::size_t kRecordsChecked = 65'536;

  // Errors: those of reading; kInvalidArgument: it is no regular file, or larger; kCorrupt: it is no such
  // database, its tree leads out of it, or a value at one of `paths` is broken or nested.
  static Result<std::shared_ptr<const GeoDatabase>> open(const std::string& path, std::vector<GeoPath> paths,
                                                         std::size_t bytes_max);
  ~GeoDatabase();
  GeoDatabase(const GeoDatabase&) = delete;
  GeoDatabase& operator=(const GeoDatabase&) = delete;

  enum class Found { kYes, kNo, kCorrupt };
  struct Cell {
    ValueKind kind = ValueKind::kMissing;
    Slot slot{};  // texts stand in text()
  };
  // The values at the paths. A database of IPv4 knows no address of IPv6. REQUIRES: as many cells as paths.
  Found find(const IpAddress& address, std::span<Cell> cells) const;

  // Whether one of the records that were checked has a value at this path.
  bool has(std::size_t path) const { return has_[path]; }
  // "GeoLite2-City of 2026-01-02"
  std::string name() const;
  // 64 bytes behind it may be read.
  std::string_view text() const { return {reinterpret_cast<const char*>(database_.file_content), bytes_}; }

 private:
  enum class Taken { kYes, kNested, kCorrupt };

  GeoDatabase(const MMDB_s& database, std::vector<GeoPath> paths, std::size_t bytes);
  // Takes the value at one path, or none.
  Taken take(MMDB_entry_s entry, std::size_t path, Cell& cell) const;
  Result<void> check();
  Cell cell_of(const MMDB_entry_data_s& data) const;

  MMDB_s database_;
  const std::vector<GeoPath> paths_;
  std::vector<std::vector<const char*>> names_;  // of the paths, as the library wants them
  std::vector<bool> has_;
  const std::size_t bytes_;
};

}  // namespace logflume
