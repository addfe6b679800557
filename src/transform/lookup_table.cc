#include "transform/lookup_table.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <optional>

#include "event/slab.h"
#include "transform/watched_file.h"

namespace logflume {
namespace {

Error wrong(std::string message) { return Error{Errc::kInvalidArgument, 0, std::move(message)}; }

}  // namespace

// Texts are appended while the rows are found, so views of them are made at the end.
class LookupTable::Builder {
 public:
  Builder(const LookupTableConfig& config, std::size_t bytes) : config_(config) {
    table_->text_.reserve(bytes + Slab::kPadBytes);
  }

  std::optional<Error> csv(std::string_view content);
  std::optional<Error> json(std::string_view content);

  std::shared_ptr<const LookupTable> done() {
    LookupTable& table = *table_;
    table.text_.reserve(table.text_.size() + Slab::kPadBytes);
    table.rows_.reserve(keys_.size());
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      const std::string_view key = std::string_view(table.text_).substr(keys_[i].at, keys_[i].bytes);
      const std::uint32_t end =
          i + 1 < begins_.size() ? begins_[i + 1] : static_cast<std::uint32_t>(table.cells_.size());
      table.rows_.insert_or_assign(key, Row{begins_[i], end});
    }
    return std::move(table_);
  }

 private:
  enum class Token {
    kValue,
    kLast,
    kBroken
  };  // a value, the last one of its record, a quote that never ends

  TextRef add_text(std::string_view text) {
    const TextRef ref{static_cast<std::uint32_t>(table_->text_.size()),
                      static_cast<std::uint32_t>(text.size())};
    table_->text_ += text;
    return ref;
  }
  void begin_row() { begins_.push_back(static_cast<std::uint32_t>(table_->cells_.size())); }
  void drop_row() {
    table_->cells_.erase(table_->cells_.begin() + begins_.back(), table_->cells_.end());
    begins_.pop_back();
  }
  // The column of that name, where it is kept.
  std::optional<std::uint32_t> column(std::string_view name) {
    auto& columns = table_->columns_;
    const auto known = std::ranges::find(columns, name);
    if (known != columns.end()) return static_cast<std::uint32_t>(known - columns.begin());
    const bool kept = config_.columns.empty()
                          ? name != config_.key_column
                          : std::ranges::find(config_.columns, name) != config_.columns.end();
    if (!kept) return std::nullopt;
    columns.emplace_back(name);
    return static_cast<std::uint32_t>(columns.size() - 1);
  }
  std::optional<Error> check_columns(const std::vector<std::string>& there) const {
    for (const std::string& name : config_.columns) {
      if (std::ranges::find(there, name) == there.end())
        return wrong(fmt::format("it has no column \"{}\"", name));
    }
    return {};
  }

  Token next_csv(std::string_view& rest, std::string& value, bool& quoted);
  std::optional<Error> csv_names(std::string_view& rest, std::vector<std::string>& names);
  // Into the row that has begun. Of several of one column the last one counts.
  void put_cell(const Cell& cell) {
    const auto begin = table_->cells_.begin() + begins_.back();
    const auto same = std::find_if(begin, table_->cells_.end(),
                                   [&](const Cell& other) { return other.column == cell.column; });
    if (same == table_->cells_.end()) {
      table_->cells_.push_back(cell);
    } else {
      *same = cell;
    }
  }
  Cell json_cell(simdjson::dom::element value);
  std::optional<Error> json_row(simdjson::dom::element element, std::optional<std::string_view> name);

  const LookupTableConfig& config_;
  std::shared_ptr<LookupTable> table_ = std::make_shared<LookupTable>();
  std::vector<TextRef> keys_;
  std::vector<std::uint32_t> begins_;  // of the rows, in their cells
  std::size_t line_ = 1;               // of CSV
};

// -- CSV --------------------------------------------------------------------------------------------------

LookupTable::Builder::Token LookupTable::Builder::next_csv(std::string_view& rest, std::string& value,
                                                           bool& quoted) {
  value.clear();
  quoted = rest.starts_with('"');
  if (quoted) {
    rest.remove_prefix(1);
    for (;;) {
      const std::size_t quote = rest.find('"');
      if (quote == std::string_view::npos) return Token::kBroken;
      line_ += static_cast<std::size_t>(std::ranges::count(rest.substr(0, quote), '\n'));
      value += rest.substr(0, quote);
      rest.remove_prefix(quote + 1);
      if (!rest.starts_with('"')) break;
      value += '"';
      rest.remove_prefix(1);
    }
  }
  // Behind a quoted value there is nothing as a rule; what there is belongs to it.
  const char stops[] = {config_.delimiter, '\n'};
  const std::size_t stop = std::min(rest.find_first_of(std::string_view(stops, 2)), rest.size());
  std::string_view plain = rest.substr(0, stop);
  const bool last = stop == rest.size() || rest[stop] == '\n';
  if (last && plain.ends_with('\r')) plain.remove_suffix(1);
  value += plain;
  rest.remove_prefix(std::min(stop + 1, rest.size()));
  if (last) ++line_;
  return last ? Token::kLast : Token::kValue;
}

std::optional<Error> LookupTable::Builder::csv_names(std::string_view& rest,
                                                     std::vector<std::string>& names) {
  std::string value;
  bool quoted = false;
  Token token = Token::kValue;
  while (token == Token::kValue) {
    token = next_csv(rest, value, quoted);
    if (token == Token::kBroken) return wrong("line 1: a quote has no end");
    if (std::ranges::find(names, value) != names.end())
      return wrong(fmt::format("line 1: two columns have the name \"{}\"", value));
    names.push_back(value);
    if (names.size() > kColumnsMax) return wrong(fmt::format("it has more than {} columns", kColumnsMax));
  }
  return check_columns(names);
}

std::optional<Error> LookupTable::Builder::csv(std::string_view content) {
  if (content.starts_with("\xEF\xBB\xBF")) content.remove_prefix(3);
  if (content.empty()) return wrong("it is empty, where the first line has the names of the columns");
  std::string_view rest = content;
  std::vector<std::string> names;
  if (auto error = csv_names(rest, names)) return error;
  LookupTableConfig with_key = config_;
  if (with_key.key_column.empty()) with_key.key_column = names[0];
  const auto key = std::ranges::find(names, with_key.key_column) - names.begin();
  if (static_cast<std::size_t>(key) == names.size())
    return wrong(fmt::format("it has no column \"{}\"", with_key.key_column));

  std::vector<std::optional<std::uint32_t>> places;
  for (const std::string& name : names) {
    const bool of_key = config_.columns.empty() && name == with_key.key_column;
    places.push_back(of_key ? std::nullopt : column(name));
  }
  std::string value;
  bool quoted = false;
  while (!rest.empty()) {
    const std::size_t line = line_;
    begin_row();
    std::optional<TextRef> row_key;
    Token token = Token::kValue;
    for (std::size_t i = 0; token == Token::kValue; ++i) {
      token = next_csv(rest, value, quoted);
      if (token == Token::kBroken) return wrong(fmt::format("line {}: a quote has no end", line));
      const bool is_empty = value.empty() && !quoted;
      if (i == names.size()) {
        return wrong(fmt::format("line {}: there are more values than columns ({})", line, names.size()));
      }
      if (is_empty) continue;
      const TextRef text = add_text(value);
      if (i == static_cast<std::size_t>(key)) row_key = text;
      if (places[i]) table_->cells_.push_back({*places[i], ValueKind::kString, Slot::of(text)});
    }
    // Also of an empty line.
    if (row_key) {
      keys_.push_back(*row_key);
    } else {
      drop_row();
    }
  }
  return {};
}

// -- JSON -------------------------------------------------------------------------------------------------

LookupTable::Cell LookupTable::Builder::json_cell(simdjson::dom::element value) {
  using simdjson::dom::element_type;
  switch (value.type()) {
    case element_type::STRING:
      return {0, ValueKind::kString, Slot::of(add_text(std::string_view(value)))};
    case element_type::BOOL:
      return {0, ValueKind::kBool, Slot::of(bool(value))};
    case element_type::NULL_VALUE:
      return {0, ValueKind::kNull, Slot::null()};
    case element_type::INT64:
      return {0, ValueKind::kInt, Slot::of(std::int64_t(value))};
    case element_type::DOUBLE:
      return {0, ValueKind::kDouble, Slot::of(double(value))};
    case element_type::UINT64:
      return {0, ValueKind::kNumber, Slot::of(add_text(simdjson::minify(value)))};
    case element_type::ARRAY:
    case element_type::OBJECT:
      break;
  }
  return {0, ValueKind::kJson, Slot::of(add_text(simdjson::minify(value)))};
}

std::optional<Error> LookupTable::Builder::json_row(simdjson::dom::element element,
                                                    std::optional<std::string_view> name) {
  const std::string who =
      name ? fmt::format("\"{}\"", name->substr(0, 60)) : fmt::format("element {}", begins_.size() + 1);
  simdjson::dom::object object;
  if (element.get_object().get(object) != simdjson::SUCCESS) return wrong(who + " is no object");
  std::optional<TextRef> key;
  begin_row();
  for (const auto& [member, value] : object) {
    const bool is_key = !name && member == config_.key_column;
    const auto place = column(member);
    if (table_->columns_.size() > kColumnsMax)
      return wrong(fmt::format("it has more than {} columns", kColumnsMax));
    if (!is_key && !place) continue;
    const Cell cell = json_cell(value);
    if (is_key) {
      if (is_text(cell.kind)) {
        key = cell.slot.text;
      } else if (cell.kind == ValueKind::kInt || cell.kind == ValueKind::kDouble) {
        key = add_text(simdjson::minify(value));
      }
    }
    if (place) put_cell({*place, cell.kind, cell.slot});
  }
  if (name) key = add_text(*name);
  if (!key) return wrong(fmt::format("{} has no text or number \"{}\"", who, config_.key_column));
  keys_.push_back(*key);
  return {};
}

std::optional<Error> LookupTable::Builder::json(std::string_view content) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (const auto error = parser.parse(content.data(), content.size()).get(root); error != simdjson::SUCCESS)
    return wrong(fmt::format("it is no JSON: {}", simdjson::error_message(error)));
  if (simdjson::dom::array array; root.get_array().get(array) == simdjson::SUCCESS) {
    if (config_.key_column.empty())
      return wrong("of an array of objects it must be said which is the column of the key");
    for (const simdjson::dom::element element : array) {
      if (auto error = json_row(element, std::nullopt)) return error;
    }
  } else if (simdjson::dom::object object; root.get_object().get(object) == simdjson::SUCCESS) {
    for (const auto& [name, element] : object) {
      if (auto error = json_row(element, name)) return error;
    }
  } else {
    return wrong("it is neither an array nor an object");
  }
  return keys_.empty() ? std::nullopt : check_columns(table_->columns_);
}

// -- All of it --------------------------------------------------------------------------------------------

Result<std::shared_ptr<const LookupTable>> LookupTable::parse(std::string_view content,
                                                              const LookupTableConfig& config) {
  Builder builder(config, content.size());
  auto error =
      config.format == LookupTableConfig::Format::kJson ? builder.json(content) : builder.csv(content);
  if (error) return std::move(*error);
  return builder.done();
}

Result<std::shared_ptr<const LookupTable>> LookupTable::read(const std::string& path,
                                                             const LookupTableConfig& config) {
  const Result<std::string> content = read_file(path, config.bytes_max);
  if (!content) return content.error();
  LookupTableConfig known = config;
  if (known.format == LookupTableConfig::Format::kByName) {
    known.format =
        path.ends_with(".json") ? LookupTableConfig::Format::kJson : LookupTableConfig::Format::kCsv;
  }
  auto parsed = parse(*content, known);
  if (!parsed) return Error{parsed.error().code, 0, path + ": " + parsed.error().message};
  return parsed;
}

}  // namespace logflume
