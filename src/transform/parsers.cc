// The parsers of src/parse as transforms.
#include <fmt/format.h>

#include <utility>

#include "base/civil_time.h"
#include "parse/container_parsers.h"
#include "parse/csv_parser.h"
#include "parse/grok_parser.h"
#include "parse/json_parser.h"
#include "parse/key_value_parser.h"
#include "parse/log_format_parser.h"
#include "parse/regex_parser.h"
#include "parse/syslog_parser.h"
#include "transform/parse_stage.h"
#include "transform/types.h"

namespace logflume {
namespace {

constexpr std::uint64_t kFieldsMax = 256;

// Of a format that says its fields itself.
template <typename Make>
ParserKind kind_of(Make make) {
  ParserKind kind;
  Columns columns;
  const std::unique_ptr<Parser> parser = make(WantedFields{});
  parser->begin(columns, 0);
  kind.schema.open = false;
  for (std::size_t i = 0; i < columns.size(); ++i) kind.schema.fields[columns.at(i).name()] = ExprType::kDyn;
  kind.make = std::move(make);
  return kind;
}

// Of a format whose lines name their fields.
template <typename Make>
ParserKind open_kind(Make make) {
  ParserKind kind;
  kind.make = std::move(make);
  return kind;
}

// Errors: a type that there is none of; its key is in `error`.
std::map<std::string, FieldType> types_of(const std::map<std::string, std::string>& names,
                                          std::optional<TransformError>& error) {
  std::map<std::string, FieldType> types;
  for (const auto& [field, name] : names) {
    const auto type = parse_field_type(name);
    if (type) {
      types.emplace(field, *type);
    } else {
      error = TransformError{fmt::format("types.{}", field), SIZE_MAX,
                             fmt::format("there is no type \"{}\"", name),
                             "string, int, double, bool or timestamp"};
    }
  }
  return types;
}

constexpr const char* kTypesDoc =
    "Types of fields: `string`, `int`, `double`, `bool` or `timestamp` (RFC 3339). Others are strings.";
constexpr const char* kMaxFieldsDoc =
    "Fields that the events of one batch may have, all together. What exceeds them is kept in the field "
    "`_rest`.";

// -- JSON -------------------------------------------------------------------------------------------------

struct ParseJsonConfig : ParseConfig {
  std::uint64_t max_fields = kFieldsMax;
  bool operator==(const ParseJsonConfig&) const = default;
  TransformBuilt build(const FieldSchema& /*in*/) const {
    return build_parse(*this, open_kind([fields_max = max_fields](const WantedFields& wanted) {
      return make_json_parser({wanted, static_cast<std::size_t>(fields_max)});
    }));
  }
};

// -- Regular expressions ----------------------------------------------------------------------------------

struct ParseRegexConfig : ParseConfig {
  std::string pattern;
  std::map<std::string, std::string> types;
  bool operator==(const ParseRegexConfig&) const = default;
  TransformBuilt build(const FieldSchema& /*in*/) const {
    std::optional<TransformError> error;
    RegexParserConfig parser{pattern, types_of(types, error), {}};
    if (error) return *std::move(error);
    if (auto made = make_regex_parser(parser); !made)
      return TransformError{"pattern", SIZE_MAX, made.error().message, {}};
    return build_parse(*this, kind_of([parser](const WantedFields& wanted) mutable {
      parser.wanted = wanted;
      return std::move(*make_regex_parser(parser));
    }));
  }
};

// -- Grok --------------------------------------------------------------------------------------------------

struct ParseGrokConfig : ParseConfig {
  std::string pattern;
  std::map<std::string, std::string> patterns;
  std::map<std::string, std::string> types;
  bool operator==(const ParseGrokConfig&) const = default;
  TransformBuilt build(const FieldSchema& /*in*/) const {
    std::optional<TransformError> error;
    GrokParserConfig parser{pattern, {patterns.begin(), patterns.end()}, types_of(types, error), {}};
    if (error) return *std::move(error);
    if (auto made = make_grok_parser(parser); !made)
      return TransformError{"pattern", SIZE_MAX, made.error().message, {}};
    return build_parse(*this, kind_of([parser](const WantedFields& wanted) mutable {
      parser.wanted = wanted;
      return std::move(*make_grok_parser(parser));
    }));
  }
};

// -- Access logs ------------------------------------------------------------------------------------------

template <auto kMake>
struct ParseAccessLogConfig : ParseConfig {
  std::string format = "combined";
  bool operator==(const ParseAccessLogConfig&) const = default;
  TransformBuilt build(const FieldSchema& /*in*/) const {
    if (auto made = kMake({format, {}}); !made)
      return TransformError{"format", SIZE_MAX, made.error().message, {}};
    return build_parse(*this, kind_of([log_format = format](const WantedFields& wanted) {
      return std::move(*kMake({log_format, wanted}));
    }));
  }
};
using ParseNginxConfig = ParseAccessLogConfig<make_nginx_parser>;
using ParseApacheConfig = ParseAccessLogConfig<make_apache_parser>;

// -- Pairs ------------------------------------------------------------------------------------------------

struct ParsePairsConfig : ParseConfig {
  std::map<std::string, std::string> types;
  std::uint64_t max_fields = kFieldsMax;
  std::string pair_separator = " ";
  std::string key_separator = "=";
  bool bare_keys = true;
  bool operator==(const ParsePairsConfig&) const = default;
  TransformBuilt build(const FieldSchema& /*in*/) const {
    std::optional<TransformError> error;
    KeyValueParserConfig parser;
    parser.pair_separator = pair_separator[0];
    parser.key_separator = key_separator[0];
    parser.bare_keys = bare_keys;
    parser.types = types_of(types, error);
    parser.fields_max = static_cast<std::size_t>(max_fields);
    if (error) return *std::move(error);
    if (pair_separator == key_separator)
      return TransformError{"key_separator", SIZE_MAX, "is the same as pair_separator", {}};
    return build_parse(*this, open_kind([parser](const WantedFields& wanted) mutable {
      parser.wanted = wanted;
      return make_key_value_parser(parser);
    }));
  }
};
struct ParseLogfmtConfig : ParsePairsConfig {
  bool operator==(const ParseLogfmtConfig&) const = default;
};
struct ParseKeyValueConfig : ParsePairsConfig {
  ParseKeyValueConfig() { bare_keys = false; }
  bool operator==(const ParseKeyValueConfig&) const = default;
};

// -- CSV --------------------------------------------------------------------------------------------------

struct ParseCsvConfig : ParseConfig {
  std::vector<std::string> columns;
  std::string delimiter = ",";
  std::map<std::string, std::string> types;
  bool operator==(const ParseCsvConfig&) const = default;
  TransformBuilt build(const FieldSchema& /*in*/) const {
    std::optional<TransformError> error;
    CsvParserConfig parser{columns, delimiter[0], types_of(types, error), {}};
    if (error) return *std::move(error);
    return build_parse(*this, kind_of([parser](const WantedFields& wanted) mutable {
      parser.wanted = wanted;
      return make_csv_parser(parser);
    }));
  }
};

// -- Formats that have always the same fields -------------------------------------------------------------

// REQUIRES: build_parse() finds fault with a zone that is none.
int offset_minutes(const ParseConfig& config) { return parse_utc_offset(config.time_zone).value_or(0); }

struct ParseSyslogConfig : ParseConfig {
  TransformBuilt build(const FieldSchema& /*in*/) const {
    return build_parse(*this, kind_of([offset = offset_minutes(*this)](const WantedFields& wanted) {
      return make_syslog_parser({offset, wanted});
    }));
  }
};
struct ParseKlogConfig : ParseConfig {
  TransformBuilt build(const FieldSchema& /*in*/) const {
    return build_parse(*this, kind_of([offset = offset_minutes(*this)](const WantedFields& wanted) {
      return make_klog_parser({offset, wanted});
    }));
  }
};
struct ParseDockerJsonConfig : ParseConfig {
  TransformBuilt build(const FieldSchema& /*in*/) const {
    ParserKind kind = kind_of([](const WantedFields& wanted) { return make_docker_json_parser(wanted); });
    kind.schema.open = true;  // a driver may add members
    return build_parse(*this, std::move(kind));
  }
};
struct ParseCriConfig : ParseConfig {
  TransformBuilt build(const FieldSchema& /*in*/) const {
    return build_parse(*this, kind_of([](const WantedFields& wanted) { return make_cri_parser(wanted); }));
  }
};

std::string must_be_one_character(const std::string& text) {
  return text.size() == 1 ? std::string() : std::string("is not one character");
}

}  // namespace

TransformType parse_json_transform() {
  Describe<ParseJsonConfig> parse("JSON objects: their members become fields.");
  describe_parse(parse);
  parse.field("max_fields", &ParseJsonConfig::max_fields, kMaxFieldsDoc).at_least(1).at_most(65'536);
  return transform_type("parse_json", std::move(parse));
}

TransformType parse_regex_transform() {
  Describe<ParseRegexConfig> parse("A regular expression (PCRE2): its named groups become fields.");
  describe_parse(parse);
  parse
      .field("pattern", &ParseRegexConfig::pattern,
             "Searched for anywhere in the text; `^` and `$` tie it down.")
      .required()
      .must(must_not_be_empty, "a regular expression with named groups")
      .example_is("'^(?<level>\\w+) (?<text>.*)$'");
  parse.field("types", &ParseRegexConfig::types, kTypesDoc).example_is("{code: int}");
  return transform_type("parse_regex", std::move(parse));
}

TransformType parse_grok_transform() {
  Describe<ParseGrokConfig> parse(
      "Grok expressions: a regular expression with patterns by name (docs/grok.md).");
  describe_parse(parse);
  parse.field("pattern", &ParseGrokConfig::pattern, "As `%{IP:client} %{WORD:verb} %{NUMBER:took:float}`.")
      .required()
      .must(must_not_be_empty, "a grok expression")
      .example_is("'%{COMBINEDAPACHELOG}'");
  parse.field("patterns", &ParseGrokConfig::patterns, "Patterns of your own, by name.")
      .example_is("{ORDER: 'A\\d{6}'}");
  parse.field("types", &ParseGrokConfig::types, kTypesDoc).example_is("{response: int}");
  return transform_type("parse_grok", std::move(parse));
}

TransformType parse_nginx_transform() {
  Describe<ParseNginxConfig> parse("Access logs of nginx. Fields have the names of nginx's variables.");
  describe_parse(parse);
  parse
      .field("format", &ParseNginxConfig::format,
             "`common`, `combined`, or what stands in nginx's `log_format`.")
      .must(must_not_be_empty, "common, combined or a log_format")
      .example_is("combined");
  return transform_type("parse_nginx", std::move(parse));
}

TransformType parse_apache_transform() {
  Describe<ParseApacheConfig> parse(
      "Access logs of Apache. Fields have the names that nginx has for the same thing.");
  describe_parse(parse);
  parse
      .field("format", &ParseApacheConfig::format,
             "`common`, `combined`, or what stands in Apache's `LogFormat`.")
      .must(must_not_be_empty, "common, combined or a LogFormat")
      .example_is("combined");
  return transform_type("parse_apache", std::move(parse));
}

TransformType parse_logfmt_transform() {
  Describe<ParseLogfmtConfig> parse("logfmt: `level=info msg=\"it runs\" ready`.");
  describe_parse(parse);
  parse.field("types", &ParseLogfmtConfig::types, kTypesDoc).example_is("{took: double}");
  parse.field("max_fields", &ParseLogfmtConfig::max_fields, kMaxFieldsDoc).at_least(1).at_most(65'536);
  return transform_type("parse_logfmt", std::move(parse));
}

TransformType parse_key_value_transform() {
  Describe<ParseKeyValueConfig> parse("Pairs of keys and values with any separators.");
  describe_parse(parse);
  parse.field("pair_separator", &ParseKeyValueConfig::pair_separator, "Between two pairs, any number of it.")
      .must(must_be_one_character, "one character");
  parse.field("key_separator", &ParseKeyValueConfig::key_separator, "Between a key and its value.")
      .must(must_be_one_character, "one character");
  parse.field("bare_keys", &ParseKeyValueConfig::bare_keys,
              "A key without a value is `true`. Otherwise the text is not accepted.");
  parse.field("types", &ParseKeyValueConfig::types, kTypesDoc).example_is("{took: double}");
  parse.field("max_fields", &ParseKeyValueConfig::max_fields, kMaxFieldsDoc).at_least(1).at_most(65'536);
  return transform_type("parse_key_value", std::move(parse));
}

TransformType parse_csv_transform() {
  Describe<ParseCsvConfig> parse("Comma-separated values (RFC 4180), a record a line.");
  describe_parse(parse);
  parse.field("columns", &ParseCsvConfig::columns, "The names of the values, in their order.")
      .required()
      .must(must_not_be_empty, "a name")
      .example_is("[time, level, text]");
  parse.field("delimiter", &ParseCsvConfig::delimiter, "Between two values.")
      .must(must_be_one_character, "one character");
  parse.field("types", &ParseCsvConfig::types, kTypesDoc).example_is("{code: int}");
  return transform_type("parse_csv", std::move(parse));
}

TransformType parse_syslog_transform() {
  Describe<ParseSyslogConfig> parse("Syslog: RFC 5424, and RFC 3164 with its usual deviations.");
  describe_parse(parse);
  return transform_type("parse_syslog", std::move(parse));
}

TransformType parse_klog_transform() {
  Describe<ParseKlogConfig> parse("klog, as Kubernetes components write it.");
  describe_parse(parse);
  return transform_type("parse_klog", std::move(parse));
}

TransformType parse_docker_json_transform() {
  Describe<ParseDockerJsonConfig> parse(
      "Lines of Docker's json-file driver. What the source's `multiline` has put together of them is one "
      "message.");
  describe_parse(parse);
  return transform_type("parse_docker_json", std::move(parse));
}

TransformType parse_cri_transform() {
  Describe<ParseCriConfig> parse(
      "Lines of a container runtime (CRI). What the source's `multiline` has put together of them is one "
      "message.");
  describe_parse(parse);
  return transform_type("parse_cri", std::move(parse));
}

}  // namespace logflume
