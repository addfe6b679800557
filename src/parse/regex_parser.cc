#include "parse/regex_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/nearest_name.h"
#include "base/regex.h"

namespace logflume {
namespace {

class RegexParser final : public Parser {
 public:
  RegexParser(Regex regex, const RegexParserConfig& config) : regex_(std::move(regex)) {
    for (const Regex::Name& name : regex_.names()) {
      const auto type = config.types.find(name.name);
      const FieldType known = type == config.types.end() ? FieldType::kString : type->second;
      const auto field = config.fields.find(name.name);
      const std::string& given = field == config.fields.end() ? name.name : field->second;
      // A value of a type is looked at also when nobody wants it: whether a line is accepted does not depend
      // on that.
      const bool wanted = config.wanted.has(given);
      if (!wanted && known == FieldType::kString) continue;
      for (const Group& group : groups_) repeated_ = repeated_ || group.field == given;
      groups_.push_back({given, name.group, known, wanted, 0});
    }
  }

  void begin(Columns& columns, std::int64_t /*now_ns*/) override {
    columns_ = &columns;
    ascii_ = Regex::is_ascii(columns.events_text());
    for (Group& group : groups_) {
      if (group.wanted) group.column = columns.index_of(group.field);
    }
  }

  ParseFault parse(std::string_view line, FoundFields& found) override {
    const std::string_view text = columns_->events_text();
    const bool of_text = line.data() >= text.data() && line.data() <= text.data() + text.size();
    const Regex::Answer answer =
        regex_.search(line, scratch_, 0, (of_text && ascii_) || Regex::is_ascii(line));
    if (answer == Regex::Answer::kGaveUp) return ParseFault::kMatchLimit;
    if (answer == Regex::Answer::kNo) return ParseFault::kSyntax;
    const std::size_t* const places = Regex::places(scratch_);
    for (const Group& group : groups_) {
      const std::size_t begin = places[2 * group.number];
      if (begin == Regex::kNowhere) continue;
      const std::string_view found_text(line.data() + begin, places[2 * group.number + 1] - begin);
      if (group.type == FieldType::kString) {
        add(group, ValueKind::kString, Slot::of(columns_->ref(found_text)), found);
        continue;
      }
      ValueKind kind{};
      Slot slot = Slot::null();
      const ParseFault fault = field_value(*columns_, found_text, group.type, kind, slot);
      if (fault != ParseFault::kNone) return fault;
      if (group.wanted) add(group, kind, slot, found);
    }
    return ParseFault::kNone;
  }

 private:
  struct Group {
    std::string field;
    std::size_t number;
    FieldType type;
    bool wanted;
    std::size_t column;
  };
  // By value: a slot that is put together in memory stalls whoever reads it at once.
  void add(const Group& group, ValueKind kind, Slot slot, FoundFields& found) const {
    if (repeated_) {
      found.add(group.column, kind, slot);
    } else {
      found.add_new(group.column, kind, slot);
    }
  }

  const Regex regex_;
  RegexScratch scratch_;
  std::vector<Group> groups_;
  bool repeated_ = false;  // two groups give the same field
  bool ascii_ = false;     // all of the events' text
  Columns* columns_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<Parser>> make_regex_parser(const RegexParserConfig& config) {
  auto regex = Regex::compile(config.pattern);
  if (!regex) return std::move(regex).error();
  const auto wrong = [](std::string message) { return Error{Errc::kInvalidArgument, 0, std::move(message)}; };
  if (regex->names().empty()) return wrong("it has no named group: (?<name>...)");
  for (const auto& [name, type] : config.types) {
    if (std::ranges::find(regex->names(), name, &Regex::Name::name) != regex->names().end()) continue;
    std::vector<std::string> names;
    for (const Regex::Name& known : regex->names()) names.push_back(known.name);
    const std::string near = nearest_name(name, names);
    return wrong(near.empty() ? fmt::format("it has no group \"{}\"", name)
                              : fmt::format("it has no group \"{}\": did you mean {}?", name, near));
  }
  return std::unique_ptr<Parser>(std::make_unique<RegexParser>(std::move(*regex), config));
}

}  // namespace logflume
