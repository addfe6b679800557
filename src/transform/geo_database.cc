#include "transform/geo_database.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <ctime>
#include <limits>

#include "base/unique_fd.h"

namespace logflume {
namespace {

constexpr std::size_t kReadableBehind = 64;  // as Columns want it
constexpr std::size_t kPieceBytes = 256 * 1024;

Error corrupt(std::string message) { return Error{Errc::kCorrupt, 0, std::move(message)}; }

Result<void> write_whole(int fd, const char* data, std::size_t bytes) {
  while (bytes > 0) {
    const ssize_t written = ::write(fd, data, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno_error("write to memory");
    data += written;
    bytes -= static_cast<std::size_t>(written);
  }
  return {};
}

struct MemoryCopy {
  UniqueFd fd;
  std::size_t bytes = 0;  // of the file; some zeros stand behind it
};

Result<MemoryCopy> copy_to_memory(const std::string& path, std::size_t bytes_max) {
  // Nobody need be at the other end of a pipe.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return errno_error("open " + path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return errno_error("stat " + path);
  if (!S_ISREG(status.st_mode)) return Error{Errc::kInvalidArgument, 0, path + " is no regular file"};
  MemoryCopy copy;
  copy.fd = UniqueFd(::memfd_create("geoip", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!copy.fd.valid()) return errno_error("memory for " + path);
  std::string piece(kPieceBytes, '\0');
  for (;;) {
    const ssize_t read = ::read(file.get(), piece.data(), piece.size());
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) return errno_error("read " + path);
    if (read == 0) break;
    copy.bytes += static_cast<std::size_t>(read);
    if (copy.bytes > bytes_max)
      return Error{Errc::kInvalidArgument, 0, fmt::format("{} has more than {} bytes", path, bytes_max)};
    if (auto written = write_whole(copy.fd.get(), piece.data(), static_cast<std::size_t>(read)); !written)
      return std::move(written).error();
  }
  const std::string zeros(kReadableBehind, '\0');
  if (auto written = write_whole(copy.fd.get(), zeros.data(), zeros.size()); !written)
    return std::move(written).error();
  if (::fcntl(copy.fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
    return errno_error("seal memory for " + path);
  return copy;
}

// What a float stands for: 0.1 and not 0.10000000149.
double shortest(float value) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  double wide = value;
  std::from_chars(digits.data(), end, wide);
  return wide;
}

}  // namespace

std::optional<GeoPath> GeoPath::parse(std::string_view text) {
  GeoPath path;
  path.text_ = text;
  for (std::size_t from = 0;;) {
    const std::size_t dot = std::min(text.find('.', from), text.size());
    const std::string_view part = text.substr(from, dot - from);
    if (part.empty() || part.find('\0') != part.npos || path.parts_.size() == kPartsMax) return std::nullopt;
    path.parts_.emplace_back(part);
    if (dot == text.size()) return path;
    from = dot + 1;
  }
}

Result<std::shared_ptr<const GeoDatabase>> GeoDatabase::open(const std::string& path,
                                                             std::vector<GeoPath> paths,
                                                             std::size_t bytes_max) {
  auto copy = copy_to_memory(path, bytes_max);
  if (!copy) return std::move(copy).error();
  MMDB_s database;
  const int status =
      MMDB_open(fmt::format("/proc/self/fd/{}", copy->fd.get()).c_str(), MMDB_MODE_MMAP, &database);
  if (status == MMDB_FILE_OPEN_ERROR || status == MMDB_IO_ERROR)
    return errno_error(fmt::format("map the copy of {} by /proc/self/fd", path));
  if (status != MMDB_SUCCESS)
    return corrupt(fmt::format("{} is no MaxMind DB file: {}", path, MMDB_strerror(status)));
  const std::shared_ptr<GeoDatabase> made(new GeoDatabase(database, std::move(paths), copy->bytes));
  if (auto checked = made->check(); !checked)
    return corrupt(fmt::format("{}: {}", path, checked.error().message));
  return std::shared_ptr<const GeoDatabase>(made);
}

GeoDatabase::GeoDatabase(const MMDB_s& database, std::vector<GeoPath> paths, std::size_t bytes)
    : database_(database), paths_(std::move(paths)), has_(paths_.size()), bytes_(bytes) {
  for (const GeoPath& path : paths_) {
    std::vector<const char*>& names = names_.emplace_back();
    for (const std::string& part : path.parts()) names.push_back(part.c_str());
    names.push_back(nullptr);
  }
}

GeoDatabase::~GeoDatabase() { MMDB_close(&database_); }

std::string GeoDatabase::name() const {
  const auto built = static_cast<std::time_t>(database_.metadata.build_epoch);
  std::tm utc{};
  const bool known = ::gmtime_r(&built, &utc) != nullptr;
  const std::string type(database_.metadata.database_type == nullptr ? "" : database_.metadata.database_type);
  return known ? fmt::format("{} of {:%Y-%m-%d}", type, utc) : type;
}

GeoDatabase::Found GeoDatabase::find(const IpAddress& address, std::span<Cell> cells) const {
  sockaddr_in four{};
  sockaddr_in6 six{};
  const sockaddr* at = nullptr;
  if (address.count == 4) {
    four.sin_family = AF_INET;
    std::memcpy(&four.sin_addr, address.bytes.data(), 4);
    at = reinterpret_cast<const sockaddr*>(&four);
  } else {
    six.sin6_family = AF_INET6;
    std::memcpy(&six.sin6_addr, address.bytes.data(), 16);
    at = reinterpret_cast<const sockaddr*>(&six);
  }
  int error = MMDB_SUCCESS;
  const MMDB_lookup_result_s result = MMDB_lookup_sockaddr(&database_, at, &error);
  if (error == MMDB_IPV6_LOOKUP_IN_IPV4_DATABASE_ERROR) return Found::kNo;
  if (error != MMDB_SUCCESS) return Found::kCorrupt;
  if (!result.found_entry) return Found::kNo;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (take(result.entry, i, cells[i]) == Taken::kCorrupt) return Found::kCorrupt;
  }
  return Found::kYes;
}

GeoDatabase::Taken GeoDatabase::take(MMDB_entry_s entry, std::size_t path, Cell& cell) const {
  cell = {};
  MMDB_entry_data_s data{};
  switch (MMDB_aget_value(&entry, &data, names_[path].data())) {
    case MMDB_SUCCESS:
      break;
    case MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR:
    case MMDB_INVALID_LOOKUP_PATH_ERROR:
      return Taken::kYes;
    default:
      return Taken::kCorrupt;
  }
  if (!data.has_data) return Taken::kYes;
  if (data.type == MMDB_DATA_TYPE_MAP || data.type == MMDB_DATA_TYPE_ARRAY) return Taken::kNested;
  cell = cell_of(data);
  return Taken::kYes;
}

GeoDatabase::Cell GeoDatabase::cell_of(const MMDB_entry_data_s& data) const {
  const auto integer = [](std::int64_t value) { return Cell{ValueKind::kInt, Slot::of(value)}; };
  const auto real = [](double value) { return Cell{ValueKind::kDouble, Slot::of(value)}; };
  const auto text_at = [&](const void* at) {
    if (data.data_size == 0) return Cell{ValueKind::kString, Slot::of(TextRef{})};
    const auto offset = static_cast<const std::uint8_t*>(at) - database_.file_content;
    return Cell{ValueKind::kString, Slot::of(TextRef{static_cast<std::uint32_t>(offset), data.data_size})};
  };
  switch (data.type) {
    case MMDB_DATA_TYPE_UTF8_STRING:
      return text_at(data.utf8_string);
    case MMDB_DATA_TYPE_BYTES:
      return text_at(data.bytes);
    case MMDB_DATA_TYPE_DOUBLE:
      return real(data.double_value);
    case MMDB_DATA_TYPE_FLOAT:
      return real(shortest(data.float_value));
    case MMDB_DATA_TYPE_UINT16:
      return integer(data.uint16);
    case MMDB_DATA_TYPE_UINT32:
      return integer(data.uint32);
    case MMDB_DATA_TYPE_INT32:
      return integer(data.int32);
    case MMDB_DATA_TYPE_UINT64:
      if (data.uint64 <= std::numeric_limits<std::int64_t>::max())
        return integer(static_cast<std::int64_t>(data.uint64));
      return real(static_cast<double>(data.uint64));
    case MMDB_DATA_TYPE_UINT128:
      if (data.uint128 <= std::numeric_limits<std::int64_t>::max())
        return integer(static_cast<std::int64_t>(data.uint128));
      return real(static_cast<double>(data.uint128));
    case MMDB_DATA_TYPE_BOOLEAN:
      return {ValueKind::kBool, Slot::of(data.boolean)};
    default:
      return {};
  }
}

// All of the tree, and of many records what will be asked of them.
Result<void> GeoDatabase::check() {
  std::vector<bool> is_record(database_.data_section_size);
  std::size_t records = 0;
  const auto note = [&](std::uint8_t type, const MMDB_entry_s& entry) {
    if (type == MMDB_RECORD_TYPE_SEARCH_NODE || type == MMDB_RECORD_TYPE_EMPTY) return true;
    if (type != MMDB_RECORD_TYPE_DATA || entry.offset >= database_.data_section_size) return false;
    records += is_record[entry.offset] ? 0 : 1;
    is_record[entry.offset] = true;
    return true;
  };
  for (std::uint32_t i = 0; i < database_.metadata.node_count; ++i) {
    MMDB_search_node_s node{};
    if (MMDB_read_node(&database_, i, &node) != MMDB_SUCCESS ||
        !note(node.left_record_type, node.left_record_entry) ||
        !note(node.right_record_type, node.right_record_entry))
      return corrupt(
          fmt::format("node {} of {} leads out of the database", i, database_.metadata.node_count));
  }
  const std::size_t step = records / kRecordsChecked + 1;
  std::size_t number = 0;
  for (std::uint32_t offset = 0; offset < is_record.size(); ++offset) {
    if (!is_record[offset] || number++ % step != 0) continue;
    for (std::size_t i = 0; i < paths_.size(); ++i) {
      Cell cell;
      const Taken taken = take({&database_, offset}, i, cell);
      if (taken == Taken::kCorrupt)
        return corrupt(fmt::format("the record at byte {} of its data is broken", offset));
      if (taken == Taken::kNested)
        return corrupt(fmt::format("\"{}\" is a map or an array: name one of its values", paths_[i].text()));
      if (cell.kind != ValueKind::kMissing) has_[i] = true;
    }
  }
  return {};
}

}  // namespace logflume
