// Goal: no line breaks a parser; whether a line is accepted, and what a field is, does not depend on which
// fields are wanted; every text lies where it should. Method: the first byte chooses the parser, the rest are
// lines, or, where it is large, events of lines with an empty line between two; all fields at once beside
// each field alone. For two of the choices the first line is a format of times, or an expression of grok and
// patterns of its own. What is known of a line of Docker's without its parser is compared with that.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "parse/container_parsers.h"
#include "parse/csv_parser.h"
#include "parse/docker_line.h"
#include "parse/grok_parser.h"
#include "parse/json_parser.h"
#include "parse/key_value_parser.h"
#include "parse/log_format_parser.h"
#include "parse/regex_parser.h"
#include "parse/syslog_parser.h"
#include "parse/time_format.h"

using namespace logflume;

namespace {

constexpr std::uint8_t kParsers = 15;
constexpr std::uint8_t kTimes = 8;  // no parser
constexpr std::uint8_t kGrok = 13;  // the expression is of the input
constexpr std::uint8_t kDocker = 14;
constexpr std::uint8_t kEvents = 128;  // and above: of several lines

std::unique_ptr<Parser> parser(std::uint8_t which, WantedFields wanted) {
  switch (which % kParsers) {
    case 0:
      return std::move(*make_nginx_parser({"combined", std::move(wanted)}));
    case 1:
      return std::move(*make_nginx_parser(
          {"$time_iso8601|$msec $upstream_status $upstream_response_time [$request] ${request_time}",
           std::move(wanted)}));
    case 2:
      return std::move(*make_apache_parser({"combined", std::move(wanted)}));
    case 3:
      return std::move(*make_regex_parser(
          {R"(^(?<level>\w+)(?: (?<code>[^ ]+))? (?<took>\S+)ms (?<ok>\S+)(?<text>.*))",
           {{"code", FieldType::kInt}, {"took", FieldType::kDouble}, {"ok", FieldType::kBool}},
           std::move(wanted)}));
    case 4:
    case 5: {
      KeyValueParserConfig config;
      config.bare_keys = which % kParsers == 4;
      config.pair_separator = config.bare_keys ? ' ' : ';';
      config.types = {{"n", FieldType::kInt}, {"d", FieldType::kDouble}, {"t", FieldType::kTimestamp}};
      config.wanted = std::move(wanted);
      return make_key_value_parser(std::move(config));
    }
    case 6:
      return make_csv_parser({{"a", "n", "d", "b"},
                              ',',
                              {{"n", FieldType::kInt}, {"d", FieldType::kDouble}, {"b", FieldType::kBool}},
                              std::move(wanted)});
    case 9:
      return make_syslog_parser({-60, std::move(wanted)});
    case 10:
      return make_klog_parser({90, std::move(wanted)});
    case 11:
      return make_cri_parser(std::move(wanted));
    case kDocker:
      return make_docker_json_parser(std::move(wanted));
    case 12:
      return std::move(*make_grok_parser(
          {"%{IPORHOST:[h][o]} (?:%{NUMBER:n:float}|%{NOTSPACE:n}) %{TIMESTAMP_ISO8601:t} %{QS:q}",
           {},
           {},
           std::move(wanted)}));
    default: {
      JsonParserConfig config;
      config.wanted = std::move(wanted);
      return make_json_parser(std::move(config));
    }
  }
}

struct Line {
  ParseFault fault = ParseFault::kNone;
  std::map<std::string, std::string> fields;
};

// By line, or by what else ends each.
std::vector<Line> parsed(Parser& parser, std::string_view lines, std::string_view separator = "\n") {
  Columns columns;
  FoundFields found;
  columns.begin(lines, lines.size() + 1);
  parser.begin(columns, 0);
  std::vector<Line> all;
  for (std::size_t begin = 0; begin <= lines.size();) {
    const std::size_t end = std::min(lines.find(separator, begin), lines.size());
    found.clear();
    const ParseFault fault = parser.parse(lines.substr(begin, end - begin), found);
    begin = end + separator.size();
    Line& line = all.emplace_back();
    if (fault != ParseFault::kNone) {
      line.fault = fault;
      continue;
    }
    const std::size_t row = all.size() - 1;
    found.commit(columns, row);
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const Column& column = columns.at(i);
      const std::size_t at = column.find(row);
      if (at == Column::kNone) continue;
      const ValueKind kind = column.kind_at(at);
      std::string text(1, static_cast<char>(kind));
      const Slot slot = column.slot_at(at);
      line.fields[column.name()] =
          text + (is_text(kind) ? std::string(columns.text(slot.text)) : std::to_string(slot.integer));
    }
  }
  return all;
}

// Lines: an expression, NAME PATTERN for each of its own patterns, an empty one, what is parsed.
void check_grok(std::string_view text) {
  const auto next_line = [&text] {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    return line;
  };
  GrokParserConfig config;
  config.pattern = next_line();
  for (std::string_view line = next_line(); !line.empty(); line = next_line()) {
    const std::size_t blank = std::min(line.find(' '), line.size());
    config.patterns.emplace(line.substr(0, blank), line.substr(std::min(blank + 1, line.size())));
  }
  const auto compiled = compile_grok(config.pattern, config.patterns);
  const auto made = make_grok_parser(config);
  if (!compiled) {
    FUZZ_CHECK(!compiled.error().message.empty());
    FUZZ_CHECK(!made);
    return;
  }
  FUZZ_CHECK(compiled->regex.size() <= 65 * 1024);
  FUZZ_CHECK(!compiled->fields.empty());
  FUZZ_CHECK(made.has_value());
  for (const Line& line : parsed(**made, text)) {
    for (const auto& [name, value] : line.fields) {
      FUZZ_CHECK(std::any_of(compiled->fields.begin(), compiled->fields.end(),
                             [&name = name](const auto& field) { return field.second == name; }));
    }
  }
}

std::string unescaped(std::string_view text) {
  std::string out(text.size() + kUnescapeSlack, '\0');
  out.resize(static_cast<std::size_t>(unescape_json(text, out.data(), text.size()) - out.data()));
  FUZZ_CHECK(out.size() <= text.size());
  return out;
}

// One event: its lines are for docker_line() what they are for the parser, and its message is theirs.
void check_docker(Parser& parser, std::string_view event) {
  const std::vector<Line> lines = parsed(parser, event);
  std::string message;
  bool partial = true;
  std::size_t begin = 0;
  for (const Line& line : lines) {
    const std::string_view text = event.substr(begin, event.find('\n', begin) - begin);
    begin += text.size() + 1;
    if (line.fault == ParseFault::kTime) return;  // docker_line() does not look at it
    const auto found = docker_line(text);
    const auto stream = line.fields.find("stream");
    const bool known = stream != line.fields.end() &&
                       (stream->second.ends_with("stdout") || stream->second.ends_with("stderr")) &&
                       stream->second.size() == 7;
    FUZZ_CHECK(found.has_value() == known);
    if (!partial) message += '\n';
    const auto cut = cut_docker_message(text);
    partial = found ? found->partial : cut.has_value();
    if (found) {
      FUZZ_CHECK(found->is_stderr == stream->second.ends_with("stderr"));
      FUZZ_CHECK(found->partial == line.fields.at("partial").ends_with('1'));
      FUZZ_CHECK(unescaped(found->message) == line.fields.at("message").substr(1));
      FUZZ_CHECK(found->has_escapes == (found->message.find('\\') != found->message.npos));
      message += line.fields.at("message").substr(1);
    } else {
      message += cut ? unescaped(*cut) : text;
    }
  }
  const Line whole = parsed(parser, event, "\n\n").front();
  if (whole.fault != ParseFault::kNone || !docker_line(event.substr(0, event.find('\n')))) return;
  FUZZ_CHECK(whole.fields.at("message").substr(1) == message);
  FUZZ_CHECK(whole.fields.at("partial").ends_with(partial ? '1' : '0'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t which = data[0];
  if (which % kParsers == kTimes) {
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::size_t line = std::min(text.find('\n'), text.size());
    const auto format = TimeFormat::compile(text.substr(0, line), which % 7 * 60 - 180);
    if (format) (void)format->parse(text.substr(std::min(line + 1, text.size())), 1767323045678000000);
    return 0;
  }
  std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  text.resize(size - 1 + 64, '"');
  const std::string_view lines(text.data(), size - 1);
  if (which % kParsers == kGrok) {
    check_grok(lines);
    return 0;
  }
  const auto whole = parser(which, {});
  const std::string_view separator = which < kEvents ? "\n" : "\n\n";
  const std::vector<Line> all = parsed(*whole, lines, separator);
  if (which % kParsers == kDocker) check_docker(*whole, lines.substr(0, lines.find("\n\n")));
  std::set<std::string> names;
  for (const Line& line : all) {
    for (const auto& [name, value] : line.fields) names.insert(name);
  }
  std::size_t looked_at = 0;
  for (const std::string& name : names) {
    if (name == kRestField || ++looked_at > 20) continue;
    const auto one = parser(which, {false, {name}});
    const std::vector<Line> alone = parsed(*one, lines, separator);
    FUZZ_CHECK(alone.size() == all.size());
    for (std::size_t row = 0; row < all.size(); ++row) {
      FUZZ_CHECK(alone[row].fault == all[row].fault);
      const auto expected = all[row].fields.find(name);
      FUZZ_CHECK(alone[row].fields.size() == (expected != all[row].fields.end() ? 1u : 0u));
      if (expected != all[row].fields.end()) FUZZ_CHECK(alone[row].fields.at(name) == expected->second);
    }
  }
  return 0;
}
