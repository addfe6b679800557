// Fields of a table's row.
#include <fmt/format.h>

#include "transform/condition.h"
#include "transform/file_lookup.h"
#include "transform/lookup_table.h"
#include "transform/types.h"

namespace logflume {
namespace {

struct Lookup {
  SharedExpression key;
  std::vector<std::string> columns;  // none: all
  std::string prefix;
  OnMissing missing = OnMissing::kKeep;
};

class LookupStage final : public FileLookupStage<LookupStage, LookupTable> {
 public:
  LookupStage(const Lookup& lookup, WatchedFile<LookupTable>& file, const StageContext& context)
      : FileLookupStage(file, lookup.key, lookup.missing, context, "table", "logflume_lookup_events_total",
                        "Events that were looked up in a table, by whether their key was there."),
        lookup_(lookup),
        wanted_(context.wanted) {}

  static std::string told(const LookupTable& table) { return fmt::format("has {} keys", table.keys()); }

  void taken() {
    names_.clear();
    for (const std::string& column : file()->columns()) {
      const std::string name = lookup_.prefix + column;
      names_.push_back(wanted_.has(name) ? name : std::string());
    }
    set_fields(names_.size());
  }

  bool add(std::size_t index, std::uint32_t row, const Frame& /*in*/, StageReport& /*report*/) {
    std::string_view key;
    if (file() == nullptr || !key_.text(index, key)) return false;
    const LookupTable::Row* const found = file()->find(key);
    if (found == nullptr) return false;
    for (const LookupTable::Cell& cell : file()->cells(*found)) {
      const std::string& name = names_[cell.column];
      if (!name.empty()) give(cell.column, name, row, cell.kind, cell.slot);
    }
    return true;
  }

 private:
  const Lookup& lookup_;
  const WantedFields wanted_;
  std::vector<std::string> names_;  // of its columns' fields; empty: nobody wants it
};

class LookupTransform final : public Transform {
 public:
  LookupTransform(Lookup lookup, std::string path, LookupTableConfig config)
      : lookup_(std::move(lookup)),
        file_(std::move(path),
              [config = std::move(config)](const std::string& at) { return LookupTable::read(at, config); }) {
  }
  WantedFields needs(const WantedFields& wanted) const override {
    WantedFields needs = wanted;
    add_needs(*lookup_.key, needs);
    return needs;
  }
  FieldSchema schema(const FieldSchema& in, std::size_t /*output*/) const override {
    FieldSchema out = in;
    out.open |= lookup_.columns.empty();
    for (const std::string& field : writes()) out.fields[field] = ExprType::kDyn;
    return out;
  }
  std::vector<std::string> writes() const override {
    std::vector<std::string> names;
    for (const std::string& column : lookup_.columns) names.push_back(lookup_.prefix + column);
    if (names.empty()) names.push_back(lookup_.prefix + "*");
    return names;
  }
  // The table need not be read again.
  bool keeps_state() const override { return true; }
  std::unique_ptr<Stage> make_stage(const StageContext& context) const override {
    return std::make_unique<LookupStage>(lookup_, file_, context);
  }

 private:
  const Lookup lookup_;
  mutable WatchedFile<LookupTable> file_;
};

struct LookupConfig : TransformConfig {
  std::string table;
  LookupTableConfig::Format format = LookupTableConfig::Format::kByName;
  std::string delimiter = ",";
  std::string key;
  std::string column;
  std::vector<std::string> fields;
  std::string prefix;
  OnMissing missing = OnMissing::kKeep;
  std::uint64_t max_bytes = std::uint64_t{16} * 1024 * 1024;
  bool operator==(const LookupConfig&) const = default;

  LookupTableConfig table_config() const {
    return {format, delimiter[0], column, fields, static_cast<std::size_t>(max_bytes)};
  }
  TransformBuilt build(const FieldSchema& in) const {
    Lookup lookup{nullptr, fields, prefix, missing};
    if (auto error = compile_optional("key", key, in, compile_value, lookup.key)) return std::move(*error);
    return std::make_unique<LookupTransform>(std::move(lookup), table, table_config());
  }
};

}  // namespace

TransformType lookup_transform() {
  Describe<LookupConfig> lookup(
      "Events get fields of a row of a table, by a key. The table is a file that is read again within a "
      "second after it has changed; while what is there cannot be read, the table that was there stays, "
      "which is logged and counted. How many keys were found says `logflume_lookup_events_total`.");
  lookup
      .field("table", &LookupConfig::table,
             "The file: CSV whose first line names the columns, or JSON, an array of objects or an object of "
             "objects, whose names are the keys. Of several rows with one key the last one counts. It takes "
             "about three times its size of memory, beside `memory_limit`.")
      .required()
      .must(must_not_be_empty, "the path of a file")
      .example_is("/etc/logflume/services.csv");
  lookup.choice("format", &LookupConfig::format,
                {{"auto", LookupTableConfig::Format::kByName},
                 {"csv", LookupTableConfig::Format::kCsv},
                 {"json", LookupTableConfig::Format::kJson}},
                "How it is written. `auto`: a name that ends with `.json` says JSON, every other CSV.");
  lookup.field("delimiter", &LookupConfig::delimiter, "Between two values of CSV.")
      .must(
          [](const std::string& text) {
            return text.size() == 1 ? std::string() : std::string("is not one character");
          },
          "one character");
  lookup.field("key", &LookupConfig::key, "What is looked up, as an expression (docs/expressions.md).")
      .required()
      .must(must_not_be_empty, "an expression")
      .example_is("service");
  lookup.field("column", &LookupConfig::column, "The table's column that it is looked up in.")
      .absent_is("the first one of CSV, the names of a JSON object")
      .example_is("name");
  lookup.field("fields", &LookupConfig::fields, "The columns that become fields.")
      .absent_is("all but that of the key")
      .must(must_not_be_empty, "the name of a column")
      .example_is("[team, tier]");
  lookup.field("prefix", &LookupConfig::prefix, "In front of the fields' names.").example_is("service_");
  lookup.choice("missing", &LookupConfig::missing, {{"keep", OnMissing::kKeep}, {"drop", OnMissing::kDrop}},
                "What becomes of an event whose key is not in the table: it passes on as it came, or is "
                "discarded.");
  lookup.bytes("max_bytes", &LookupConfig::max_bytes, "The largest table that is read.")
      .at_least(1)
      .at_most(kLookupBytesMost);
  lookup.check([](const LookupConfig& config, Findings& findings) {
    if (!findings.check_paths() || config.table.empty() || config.delimiter.size() != 1) return;
    if (const auto table = LookupTable::read(config.table, config.table_config()); !table)
      findings.error("table", "table: " + table.error().text());
  });
  return transform_type("lookup", std::move(lookup));
}

}  // namespace logflume
