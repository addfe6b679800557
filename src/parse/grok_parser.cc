#include "parse/grok_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/characters.h"
#include "base/nearest_name.h"
#include "base/printable.h"
#include "base/regex.h"
#include "parse/grok_patterns.h"
#include "parse/regex_parser.h"

namespace logflume {
namespace {

constexpr std::size_t kDepthMax = 32;
constexpr std::size_t kRegexBytesMax = std::size_t{64} * 1024;
constexpr std::size_t kFieldsMax = 256;
constexpr std::size_t kNameBytesMax = 200;
constexpr std::size_t kGroupBytesMax = 32;  // PCRE2's

Error wrong(std::string message) { return Error{Errc::kInvalidArgument, 0, std::move(message)}; }

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return is_letter(c) || is_digit(c) || c == '_' || c == '-';
  });
}
// As PCRE2 takes it.
bool is_group_name(std::string_view name) {
  return !name.empty() && name.size() <= kGroupBytesMax && !is_digit(name[0]) &&
         std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
}

// "[a][b]" is "a.b"; other names stay. Empty when it is none.
std::string field_name(std::string_view written) {
  if (written.size() > kNameBytesMax) return {};
  std::string name;
  if (!written.starts_with('[')) {
    return std::ranges::all_of(written, [](char c) { return c > ' ' && c != '[' && c != ']'; })
               ? std::string(written)
               : std::string();
  }
  for (std::size_t at = 0; at < written.size();) {
    const std::size_t end = written.find(']', at);
    if (written[at] != '[' || end == std::string_view::npos || end == at + 1) return {};
    const std::string_view part = written.substr(at + 1, end - at - 1);
    if (part.find('[') != std::string_view::npos) return {};
    if (!name.empty()) name.push_back('.');
    name.append(part);
    at = end + 1;
  }
  return name;
}

// What stands between %{ and }.
struct Reference {
  std::string_view name;
  std::string_view field;
  std::string_view type;
};

Result<Reference> read_reference(std::string_view inside) {
  Reference reference;
  const std::size_t colon = std::min(inside.find(':'), inside.size());
  reference.name = inside.substr(0, colon);
  if (colon < inside.size()) {
    reference.field = inside.substr(colon + 1);
    const std::size_t second = reference.field.find(':');
    if (second != std::string_view::npos) {
      reference.type = reference.field.substr(second + 1);
      reference.field = reference.field.substr(0, second);
    }
    if (field_name(reference.field).empty())
      return wrong(fmt::format("\"{}\" is no name of a field", printable(reference.field, 60)));
  }
  if (!is_name(reference.name))
    return wrong(fmt::format("\"{}\" is no name of a pattern", printable(reference.name, 60)));
  return reference;
}

// What comes next in an expression.
struct Piece {
  enum class Kind { kText, kReference, kGroup } kind = Kind::kText;
  std::string_view text;    // all of it
  std::string_view inside;  // of the braces of a reference, of the <> of a group
};

// Cuts an expression into references, begins of named groups and what stands between them. What is escaped,
// or stands in a class, begins no group.
Piece next_piece(std::string_view expression) {
  const auto reference_at = [&](std::size_t at) { return expression.substr(at, 2) == "%{"; };
  // How many bytes begin a group, 0 where there is none.
  const auto group_at = [&](std::size_t at) -> std::size_t {
    const std::string_view begin = expression.substr(at, 4);
    if (begin == "(?P<") return 4;
    return begin.starts_with("(?<") && begin.size() == 4 && begin[3] != '=' && begin[3] != '!' ? 3 : 0;
  };
  if (reference_at(0) || group_at(0) > 0) {
    const bool reference = reference_at(0);
    const std::size_t begin = reference ? 2 : group_at(0);
    const std::size_t end = expression.find(reference ? '}' : '>', begin);
    Piece piece{reference ? Piece::Kind::kReference : Piece::Kind::kGroup, expression, {}};
    if (end == std::string_view::npos) return piece;
    piece.text = expression.substr(0, end + 1);
    piece.inside = expression.substr(begin, end - begin);
    return piece;
  }
  bool in_class = false;
  std::size_t at = 0;
  while (at < expression.size() && !reference_at(at) && (in_class || group_at(at) == 0)) {
    const char c = expression[at];
    if (c == '\\') {
      at = std::min(at + 2, expression.size());
      continue;
    }
    if (!in_class && c == '[') {
      in_class = true;
      // A ] that stands first is one of the class.
      if (expression.substr(at + 1).starts_with('^')) ++at;
      if (expression.substr(at + 1).starts_with(']')) ++at;
    } else if (in_class && expression.substr(at, 2) == "[:") {
      const std::size_t end = expression.find(":]", at + 2);
      if (end != std::string_view::npos) at = end + 1;
    } else if (in_class && c == ']') {
      in_class = false;
    }
    ++at;
  }
  return {Piece::Kind::kText, expression.substr(0, at), {}};
}

class Compiler {
 public:
  explicit Compiler(const GrokPatterns& patterns) : patterns_(patterns) {}

  Result<CompiledGrok> compile(std::string_view pattern) {
    // Groups without a name do not capture.
    made_.regex = "(?n)";
    if (auto expanded = expand(pattern); !expanded) return std::move(expanded).error();
    if (made_.fields.empty()) return wrong("it has no field: %{NAME:field}");
    auto regex = Regex::compile(made_.regex);
    if (regex) return std::move(made_);
    if (auto where = find_fault(pattern); !where) return std::move(where).error();
    return wrong(fmt::format("what it stands for is wrong: {}", regex.error().message));
  }

 private:
  Result<void> expand(std::string_view expression) {
    while (!expression.empty()) {
      const Piece piece = next_piece(expression);
      expression.remove_prefix(piece.text.size());
      Result<void> done;
      switch (piece.kind) {
        case Piece::Kind::kText:
          made_.regex.append(piece.text);
          break;
        case Piece::Kind::kReference:
          done = reference(piece);
          break;
        case Piece::Kind::kGroup:
          done = group(piece);
          break;
      }
      if (!done) return done;
      if (made_.regex.size() > kRegexBytesMax)
        return wrong(fmt::format("it stands for more than {} KiB", kRegexBytesMax / 1024));
    }
    return {};
  }

  Result<void> reference(const Piece& piece) {
    if (piece.inside.data() == nullptr)
      return wrong(fmt::format("no }} behind \"{}\"", printable(piece.text.substr(0, 40), 60)));
    const Result<Reference> reference = read_reference(piece.inside);
    if (!reference) return reference.error();
    const Result<std::string_view> definition = find(reference->name);
    if (!definition) return definition.error();
    if (const auto begin = std::ranges::find(open_, reference->name); begin != open_.end()) {
      std::string way;
      for (auto name = begin; name != open_.end(); ++name) way.append(*name).append(" -> ");
      return wrong(fmt::format("patterns refer to each other: {}{}", way, reference->name));
    }
    if (open_.size() == kDepthMax)
      return wrong(
          fmt::format("patterns refer to others more than {} deep: %{{{}}}", kDepthMax, reference->name));
    if (reference->field.empty()) {
      made_.regex.append("(?:");
    } else if (Result<void> named = begin_group(reference->field, reference->type); !named) {
      return named;
    }
    open_.push_back(reference->name);
    Result<void> done = expand(*definition);
    open_.pop_back();
    made_.regex.push_back(')');
    return done;
  }

  // (?<field>: PCRE2 knows fewer names than there are of fields.
  Result<void> group(const Piece& piece) {
    if (piece.inside.data() == nullptr || field_name(piece.inside).empty())
      return wrong(
          fmt::format("\"{}\" begins no group that has a name", printable(piece.text.substr(0, 40), 60)));
    return begin_group(piece.inside, {});
  }

  Result<void> begin_group(std::string_view field, std::string_view type) {
    if (made_.fields.size() == kFieldsMax)
      return wrong(fmt::format("it has more than {} fields", kFieldsMax));
    std::string name = field_name(field);
    // A name of PCRE2's stays one where it can, for (?&name) and \k<name>.
    std::string group = name;
    if (!is_group_name(group) || made_.fields.contains(group))
      group = fmt::format("grok__{}", made_.fields.size());
    if (!type.empty()) {
      const auto known = parse_field_type(type);
      if (!known) {
        const std::string near =
            nearest_name(type, {"string", "int", "double", "float", "bool", "timestamp"});
        return wrong(fmt::format(
            "\"{}\" is no type of {}: {}", printable(type, 60), printable(field, 60),
            near.empty() ? "string, int, double, bool or timestamp" : fmt::format("did you mean {}?", near)));
      }
      made_.types.emplace(group, *known);
    }
    made_.regex.append("(?<").append(group).push_back('>');
    made_.fields.emplace(std::move(group), std::move(name));
    return {};
  }

  Result<std::string_view> find(std::string_view name) const {
    if (const auto own = patterns_.find(name); own != patterns_.end()) return std::string_view(own->second);
    const std::span<const GrokDefinition> known = grok_definitions();
    const auto found = std::ranges::find(known, name, &GrokDefinition::name);
    if (found != known.end()) return found->pattern;
    std::vector<std::string> names;
    for (const auto& [own, pattern] : patterns_) names.push_back(own);
    for (const GrokDefinition& definition : known) names.emplace_back(definition.name);
    const std::string near = nearest_name(name, names);
    return wrong(near.empty() ? fmt::format("there is no pattern \"{}\"", printable(name, 60))
                              : fmt::format("there is no pattern \"{}\": did you mean {}?",
                                            printable(name, 60), near));
  }

  // Which of the user's expressions is wrong by itself, and where: with a group as long in place of each
  // reference.
  Result<void> find_fault(std::string_view pattern) const {
    const auto check = [](std::string_view name, std::string_view expression) -> Result<void> {
      std::string alone;
      while (!expression.empty()) {
        const Piece piece = next_piece(expression);
        expression.remove_prefix(piece.text.size());
        if (piece.kind == Piece::Kind::kReference) {
          alone.append("(?:").append(piece.text.size() - std::min<std::size_t>(piece.text.size(), 4), 'x');
          alone.push_back(')');
        } else if (piece.kind == Piece::Kind::kGroup) {
          alone.append("(?").append(piece.text.size() - 3, 'i').push_back(':');
        } else {
          alone.append(piece.text);
        }
      }
      const auto regex = Regex::compile(alone);
      if (regex) return {};
      return wrong(name.empty() ? regex.error().message : fmt::format("{}: {}", name, regex.error().message));
    };
    if (auto fault = check({}, pattern); !fault) return fault;
    for (const auto& [name, own] : patterns_) {
      if (auto fault = check(name, own); !fault) return fault;
    }
    return {};
  }

  const GrokPatterns& patterns_;
  CompiledGrok made_;
  std::vector<std::string_view> open_;  // what is being expanded, one in the other
};

}  // namespace

Result<CompiledGrok> compile_grok(std::string_view pattern, const GrokPatterns& patterns) {
  for (const auto& [name, own] : patterns) {
    if (!is_name(name)) return wrong(fmt::format("\"{}\" is no name of a pattern", printable(name, 60)));
  }
  return Compiler(patterns).compile(pattern);
}

Result<std::unique_ptr<Parser>> make_grok_parser(const GrokParserConfig& config) {
  auto compiled = compile_grok(config.pattern, config.patterns);
  if (!compiled) return std::move(compiled).error();
  RegexParserConfig parser{std::move(compiled->regex), std::move(compiled->types), config.wanted, {}};
  for (const auto& [name, type] : config.types) {
    bool known = false;
    std::vector<std::string> names;
    for (const auto& [group, field] : compiled->fields) {
      names.push_back(field);
      if (field != name) continue;
      known = true;
      parser.types.emplace(group, type);
    }
    if (known) continue;
    const std::string near = nearest_name(name, names);
    return wrong(near.empty() ? fmt::format("it has no field \"{}\"", name)
                              : fmt::format("it has no field \"{}\": did you mean {}?", name, near));
  }
  parser.fields = std::move(compiled->fields);
  return make_regex_parser(parser);
}

}  // namespace logflume
