// Where an address is, by a MaxMind DB file.
#include <fmt/format.h>
#include <xxhash.h>

#include <array>
#include <optional>

#include "transform/condition.h"
#include "transform/file_lookup.h"
#include "transform/geo_database.h"
#include "transform/types.h"

namespace logflume {
namespace {

// What is taken where the configuration does not say: the names of fields, and where MaxMind's databases have
// their values.
constexpr std::pair<const char*, const char*> kUsualFields[] = {
    {"as_organization", "autonomous_system_organization"},
    {"asn", "autonomous_system_number"},
    {"city_name", "city.names.en"},
    {"continent_code", "continent.code"},
    {"country_code", "country.iso_code"},
    {"country_name", "country.names.en"},
    {"latitude", "location.latitude"},
    {"longitude", "location.longitude"},
    {"postal_code", "postal.code"},
    {"region_code", "subdivisions.0.iso_code"},
    {"region_name", "subdivisions.0.names.en"},
    {"time_zone", "location.time_zone"},
};

struct Geoip {
  SharedExpression address;
  std::vector<std::string> names;  // of the fields, by path
  OnMissing missing = OnMissing::kKeep;
};

// What was found for addresses lately: logs have the same ones again and again.
//
// Threads: one.
class GeoCache {
 public:
  using Cell = GeoDatabase::Cell;
  struct Entry {
    IpAddress address;  // count 0: none
    GeoDatabase::Found found{};
    const Cell* cells = nullptr;
  };
  explicit GeoCache(std::size_t fields) : fields_(fields), entries_(kEntries), cells_(kEntries * fields) {}

  const Entry& find(const GeoDatabase& database, const IpAddress& address) {
    const std::size_t place = ::XXH3_64bits(address.bytes.data(), address.bytes.size()) % kEntries;
    Entry& entry = entries_[place];
    if (entry.address == address) return entry;
    const std::span<Cell> cells(cells_.data() + place * fields_, fields_);
    entry = {address, database.find(address, cells), cells.data()};
    return entry;
  }
  void clear() { entries_.assign(kEntries, {}); }
  std::size_t memory_bytes() const {
    return entries_.capacity() * sizeof(Entry) + cells_.capacity() * sizeof(Cell);
  }

 private:
  static constexpr std::size_t kEntries = 512;
  const std::size_t fields_;
  std::vector<Entry> entries_;  // by the hash of the address
  std::vector<Cell> cells_;     // of the entries
};

class GeoipStage final : public FileLookupStage<GeoipStage, GeoDatabase> {
 public:
  GeoipStage(const Geoip& geoip, WatchedFile<GeoDatabase>& file, const StageContext& context)
      : FileLookupStage(file, geoip.address, geoip.missing, context, "database",
                        "logflume_geoip_events_total",
                        "Events whose address was looked up, by whether the database knows it."),
        geoip_(geoip),
        cache_(geoip.names.size()) {
    for (const std::string& name : geoip.names) is_wanted_.push_back(context.wanted.has(name));
    set_fields(geoip.names.size());
  }

  static std::string told(const GeoDatabase& database) { return "is " + database.name(); }

  void taken() { cache_.clear(); }

  bool add(std::size_t index, std::uint32_t row, const Frame& in, StageReport& report) {
    std::string_view text;
    // Servers write "-" for what they do not know.
    if (file() == nullptr || !key_.text(index, text) || text.empty() || text == "-") return false;
    const std::optional<IpAddress> address = parse_ip_address(text);
    if (!address) {
      report.error("not_an_address", in.line(row));
      return false;
    }
    const GeoCache::Entry& entry = cache_.find(*file(), *address);
    if (entry.found == GeoDatabase::Found::kCorrupt) report.error("database", in.line(row));
    if (entry.found != GeoDatabase::Found::kYes) return false;
    for (std::size_t i = 0; i < is_wanted_.size(); ++i) {
      if (is_wanted_[i]) give(i, geoip_.names[i], row, entry.cells[i].kind, entry.cells[i].slot);
    }
    return true;
  }

  std::size_t memory_bytes() const override {
    return FileLookupStage::memory_bytes() + cache_.memory_bytes();
  }

 private:
  const Geoip& geoip_;
  GeoCache cache_;               // of the database
  std::vector<bool> is_wanted_;  // by path
};

class GeoipTransform final : public Transform {
 public:
  GeoipTransform(Geoip geoip, std::string path, std::vector<GeoPath> paths, std::size_t bytes_max)
      : geoip_(std::move(geoip)),
        file_(std::move(path), [paths = std::move(paths), bytes_max](const std::string& at) {
          return GeoDatabase::open(at, paths, bytes_max);
        }) {}
  WantedFields needs(const WantedFields& wanted) const override {
    WantedFields needs = wanted;
    add_needs(*geoip_.address, needs);
    return needs;
  }
  FieldSchema schema(const FieldSchema& in, std::size_t /*output*/) const override {
    FieldSchema out = in;
    for (const std::string& name : geoip_.names) out.fields[name] = ExprType::kDyn;
    return out;
  }
  std::vector<std::string> writes() const override { return geoip_.names; }
  // The database need not be read again.
  bool keeps_state() const override { return true; }
  std::unique_ptr<Stage> make_stage(const StageContext& context) const override {
    return std::make_unique<GeoipStage>(geoip_, file_, context);
  }

 private:
  const Geoip geoip_;
  mutable WatchedFile<GeoDatabase> file_;
};

struct GeoipConfig : TransformConfig {
  std::string file;
  std::string address;
  std::map<std::string, std::string> fields;
  std::string prefix;
  OnMissing missing = OnMissing::kKeep;
  std::uint64_t max_bytes = std::uint64_t{256} * 1024 * 1024;
  bool operator==(const GeoipConfig&) const = default;

  std::map<std::string, std::string> chosen() const {
    return fields.empty()
               ? std::map<std::string, std::string>(std::begin(kUsualFields), std::end(kUsualFields))
               : fields;
  }
  std::vector<GeoPath> paths() const {
    std::vector<GeoPath> paths;
    for (const auto& [name, path] : chosen()) {
      if (auto parsed = GeoPath::parse(path)) paths.push_back(std::move(*parsed));
    }
    return paths;
  }
  TransformBuilt build(const FieldSchema& in) const {
    Geoip geoip{nullptr, {}, missing};
    for (const auto& [name, path] : chosen()) geoip.names.push_back(prefix + name);
    if (auto error = compile_optional("address", address, in, compile_value, geoip.address))
      return std::move(*error);
    return std::make_unique<GeoipTransform>(std::move(geoip), file, paths(), max_bytes);
  }
};

void check_database(const GeoipConfig& config, Findings& findings) {
  const std::vector<GeoPath> paths = config.paths();
  if (!findings.check_paths() || config.file.empty() || paths.size() != config.chosen().size()) return;
  const auto database = GeoDatabase::open(config.file, paths, config.max_bytes);
  if (!database) return findings.error("file", "file: " + database.error().text());
  std::vector<std::string> absent;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (!(*database)->has(i)) absent.push_back(paths[i].text());
  }
  // The usual fields are those of several kinds of databases.
  if (config.fields.empty() && absent.size() < paths.size()) return;
  if (!absent.empty())
    findings.warning(
        config.fields.empty() ? "file" : "fields",
        fmt::format("{} ({}) has nothing at {}", config.file, (*database)->name(), fmt::join(absent, ", ")));
}

}  // namespace

TransformType geoip_transform() {
  Describe<GeoipConfig> geoip(
      "Events get what a MaxMind DB file (GeoLite2, GeoIP2, and others of this format) knows of an address: "
      "country, city, coordinates, network. The file is copied into memory, beside `memory_limit`, and read "
      "again within a second after it has changed; while what is there is no such database, the one that was "
      "there stays, which is logged and counted. How many addresses were found says "
      "`logflume_geoip_events_total`; an address that is none is counted as an error, `not_an_address`.");
  geoip.field("file", &GeoipConfig::file, "The database.")
      .required()
      .must(must_not_be_empty, "the path of a file")
      .example_is("/usr/share/GeoIP/GeoLite2-City.mmdb");
  geoip
      .field("address", &GeoipConfig::address,
             "The address, of IPv4 or IPv6, as an expression (docs/expressions.md): mostly the name of a "
             "field. Where it is empty or `-`, there is none.")
      .required()
      .must(must_not_be_empty, "an expression")
      .example_is("remote_addr");
  std::string usual;
  for (const auto& [name, path] : kUsualFields)
    usual += fmt::format("{}`{}`", usual.empty() ? "" : ", ", name);
  geoip
      .field("fields", &GeoipConfig::fields,
             "The fields, and where the database has their values: names with dots between, places in a list "
             "as numbers from 0. A path that leads to nothing makes no field. Integers that have no room in "
             "64 bits with a sign become floating point.")
      .absent_is("those of " + usual + " that the database has")
      .must(
          [](const std::string& text) {
            return GeoPath::parse(text) ? std::string() : std::string("is no path");
          },
          "names with dots between, as in country.iso_code")
      .example_is("{country: country.iso_code, stadt: city.names.de}");
  geoip.field("prefix", &GeoipConfig::prefix, "In front of the fields' names.").example_is("client_");
  geoip.choice(
      "missing", &GeoipConfig::missing, {{"keep", OnMissing::kKeep}, {"drop", OnMissing::kDrop}},
      "What becomes of an event without an address that the database knows: it passes on as it came, "
      "or is discarded.");
  geoip.bytes("max_bytes", &GeoipConfig::max_bytes, "The largest database that is read.")
      .at_least(1)
      .at_most(kLookupBytesMost);
  geoip.check(check_database);
  return transform_type("geoip", std::move(geoip));
}

}  // namespace logflume
