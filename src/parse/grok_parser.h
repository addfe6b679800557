// Lines by a grok expression: a regular expression in which %{NAME} stands for a known one.
//
//   %{NAME}             what NAME stands for
//   %{NAME:field}       the same, and what it matched becomes a field
//   %{NAME:field:type}  the same, of a type: string, int, double (also float), bool, timestamp (RFC 3339)
//
// A field may be written [a][b], as in the Elastic Common Schema: its name is "a.b". Of a field that stands
// for several places the last one that took part counts. (?<field>...) is a field too. A group without a name
// captures nothing, as in Logstash.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "parse/field_value.h"
#include "parse/parser.h"

namespace logflume {

// By names: what a user adds to grok_definitions(), or puts in their place.
using GrokPatterns = std::map<std::string, std::string, std::less<>>;

struct GrokParserConfig {
  std::string pattern;  // searched for anywhere in the line
  GrokPatterns patterns;
  std::map<std::string, FieldType> types;  // by field, for those that have none in the expression
  WantedFields wanted;
};

// One regular expression for all of it.
struct CompiledGrok {
  std::string regex;
  std::map<std::string, std::string> fields;  // by group; a group that is not here has its field's name
  std::map<std::string, FieldType> types;     // by group
};
// Errors: kInvalidArgument: a name that there is none of (with the nearest one), patterns that refer to each
// other, a type that is none, an expression that is wrong or becomes too large.
Result<CompiledGrok> compile_grok(std::string_view pattern, const GrokPatterns& patterns);

// Errors: those of compile_grok() and make_regex_parser().
Result<std::unique_ptr<Parser>> make_grok_parser(const GrokParserConfig& config);

}  // namespace logflume
