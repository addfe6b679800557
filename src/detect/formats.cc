#include "detect/formats.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/characters.h"
#include "config/yaml_text.h"
#include "parse/container_parsers.h"
#include "parse/csv_parser.h"
#include "parse/grok_parser.h"
#include "parse/json_parser.h"
#include "parse/key_value_parser.h"
#include "parse/log_format_parser.h"
#include "parse/syslog_parser.h"

namespace logflume {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool is_identifier(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '@';
  };
  return !name.empty() && name.size() <= 64 && letter(name[0]) && std::ranges::all_of(name, [&](char c) {
    return letter(c) || is_digit(c) || c == '.' || c == '-' || c == '/';
  });
}

// -- What is asked of lines that a parser accepts ---------------------------------------------------------

bool has_field(const Columns& columns, std::size_t row, std::string_view name) {
  const Column* const column = columns.find(name);
  return column != nullptr && column->find(row) != Column::kNone;
}

bool has_any(const Columns& columns, std::size_t row) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns.at(i).find(row) != Column::kNone) return true;
  }
  return false;
}

// A time and a text are no syslog.
bool is_syslog(const Columns& columns, std::size_t row) {
  return has_field(columns, row, "facility") ||
         (has_field(columns, row, "appname") && has_field(columns, row, "hostname"));
}

// A variable may take more than it should: in "www.example.com:443 10.0.0.1 - -" there is no user "- -".
bool is_access_log(const Columns& columns, std::size_t row) {
  return std::ranges::none_of(
      std::array{"remote_addr", "remote_logname", "remote_user"}, [&](const char* name) {
        const Column* const column = columns.find(name);
        return column != nullptr && value_text(columns, *column, row).find(' ') != std::string::npos;
      });
}

// Pairs that are few, or have strange names, are a text with a = in it.
bool is_pairs(const Columns& columns, std::size_t row) {
  constexpr std::size_t kPairsMin = 3;
  std::size_t pairs = 0, bare = 0;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::size_t at = columns.at(i).find(row);
    if (at == Column::kNone) continue;
    if (columns.at(i).kind_at(at) == ValueKind::kBool) {
      ++bare;
    } else {
      ++pairs;
      if (!is_identifier(columns.at(i).name())) return false;
    }
  }
  return pairs >= kPairsMin && bare * 4 <= pairs;
}

// As many values as there are columns.
bool is_record(const Columns& columns, std::size_t row) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns.at(i).find(row) == Column::kNone) return false;
  }
  return true;
}

// -- Formats that are known -------------------------------------------------------------------------------

LogFormat plain_format(std::string name, std::string transform,
                       std::function<std::unique_ptr<Parser>()> make) {
  LogFormat format;
  format.name = std::move(name);
  format.transform = std::move(transform);
  format.make = std::move(make);
  return format;
}

void add_containers(std::vector<LogFormat>& formats) {
  formats.push_back(
      plain_format("Docker json-file", "parse_docker_json", [] { return make_docker_json_parser({}); }));
  formats.back().wraps = MultilineInside::kDocker;
  formats.push_back(plain_format("CRI", "parse_cri", [] { return make_cri_parser({}); }));
  formats.back().wraps = MultilineInside::kCri;
  for (LogFormat& format : formats) format.holds_message = true;
  formats.push_back(plain_format("klog", "parse_klog", [] { return make_klog_parser({}); }));
}

template <auto kMake>
LogFormat access_log(std::string name, std::string transform, std::string log_format) {
  LogFormat format = plain_format(std::move(name), std::move(transform), [log_format] {
    return std::move(*kMake({log_format, {}}));
  });
  format.is_one = is_access_log;
  const bool known = log_format == "common" || log_format == "combined";
  if (log_format != "combined")
    format.options.emplace_back("format", known ? log_format : yaml_pattern(log_format));
  return format;
}

void add_access_logs(std::vector<LogFormat>& formats, std::string_view path) {
  static constexpr std::string_view kNginxMain =
      R"($remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" )"
      R"("$http_user_agent" "$http_x_forwarded_for")";
  static constexpr std::string_view kIngress =
      R"($remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" )"
      R"("$http_user_agent" $request_length $request_time [$proxy_upstream_name] )"
      R"([$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length $upstream_response_time )"
      R"($upstream_status $req_id)";
  static constexpr std::string_view kVhost =
      R"(%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i")";
  std::vector<LogFormat> nginx, apache;
  for (const char* name : {"combined", "common"}) {
    nginx.push_back(access_log<make_nginx_parser>(std::string("nginx ").append(name), "parse_nginx", name));
    apache.push_back(
        access_log<make_apache_parser>(std::string("Apache ").append(name), "parse_apache", name));
  }
  nginx.push_back(access_log<make_nginx_parser>("nginx main", "parse_nginx", std::string(kNginxMain)));
  nginx.push_back(access_log<make_nginx_parser>("ingress-nginx", "parse_nginx", std::string(kIngress)));
  apache.push_back(
      access_log<make_apache_parser>("Apache vhost_combined", "parse_apache", std::string(kVhost)));
  // Lines of both may look alike.
  const bool is_apache = contains(path, "apache") || contains(path, "httpd");
  for (std::vector<LogFormat>* const some : {is_apache ? &apache : &nginx, is_apache ? &nginx : &apache})
    std::ranges::move(*some, std::back_inserter(formats));
}

void add_line_formats(std::vector<LogFormat>& formats, bool that_say_little) {
  for (const LineFormat& line : line_formats()) {
    if (line.says_little != that_say_little) continue;
    LogFormat format =
        plain_format(std::string(line.name), "parse_grok", [pattern = std::string(line.pattern)] {
          return std::move(*make_grok_parser({pattern, {}, {}, {}}));
        });
    format.options.emplace_back("pattern", yaml_pattern(line.pattern));
    format.takes_types = true;
    format.heads_events = true;
    formats.push_back(std::move(format));
  }
}

// -- Pairs and values -------------------------------------------------------------------------------------

LogFormat pairs_format(char pair_separator, char key_separator, bool bare_keys) {
  const bool usual = pair_separator == ' ' && key_separator == '=';
  LogFormat format = plain_format(
      usual && bare_keys ? "logfmt"
      : usual            ? "key=value"
                         : fmt::format("key{}value{}...", key_separator,
                            pair_separator == '\t' ? std::string("\\t") : std::string(1, pair_separator)),
      usual && bare_keys ? "parse_logfmt" : "parse_key_value", [=] {
        KeyValueParserConfig config;
        config.pair_separator = pair_separator;
        config.key_separator = key_separator;
        config.bare_keys = bare_keys;
        return make_key_value_parser(std::move(config));
      });
  if (pair_separator != ' ')
    format.options.emplace_back("pair_separator", yaml_scalar(std::string(1, pair_separator)));
  if (key_separator != '=')
    format.options.emplace_back("key_separator", yaml_scalar(std::string(1, key_separator)));
  format.is_one = is_pairs;
  format.takes_types = true;
  return format;
}

constexpr std::size_t kColumnsMin = 3, kColumnsMax = 256;

// One more than kColumnsMax at most.
std::vector<std::string> values_of(std::string_view line, char delimiter) {
  std::vector<std::string> values;
  bool quoted = false;
  std::string value;
  for (const char c : line) {
    if (c == '"') quoted = !quoted;
    if (c == delimiter && !quoted) {
      values.push_back(std::move(value));
      value.clear();
      if (values.size() > kColumnsMax) return values;
    } else if (c != '"') {
      value.push_back(c);
    }
  }
  values.push_back(std::move(value));
  return values;
}

// Names: each of them another one, and none of them a value.
bool is_header(const std::vector<std::string>& values) {
  const std::set<std::string> different(values.begin(), values.end());
  return different.size() == values.size() && std::ranges::all_of(values, [](const std::string& value) {
           return is_identifier(value.substr(0, value.find(' '))) && value.size() <= 64;
         });
}

void add_values(std::vector<LogFormat>& formats, const LogSample& sample) {
  for (const char delimiter : {',', '\t', ';', '|'}) {
    std::vector<std::string> columns = values_of(sample.lines().front(), delimiter);
    if (columns.size() < 2 || columns.size() > kColumnsMax) continue;
    const bool header = sample.lines().size() > 1 && is_header(columns) &&
                        !is_header(values_of(sample.lines()[1], delimiter));
    if (!header && columns.size() < kColumnsMin) continue;
    if (!header) {
      for (std::size_t i = 0; i < columns.size(); ++i) columns[i] = fmt::format("column_{}", i + 1);
    }
    std::string list;
    for (const std::string& column : columns)
      list.append(list.empty() ? "" : ", ").append(yaml_scalar(column));
    LogFormat format = plain_format(header ? "CSV with a header" : "CSV", "parse_csv", [columns, delimiter] {
      return make_csv_parser({columns, delimiter, {}, {}});
    });
    format.options.emplace_back("columns", fmt::format("[{}]", list));
    if (delimiter != ',') format.options.emplace_back("delimiter", yaml_scalar(std::string(1, delimiter)));
    format.is_one = is_record;
    format.takes_types = true;
    format.lines_skipped = header ? 1 : 0;
    formats.push_back(std::move(format));
  }
}

}  // namespace

std::string yaml_pattern(std::string_view pattern) {
  std::string text = "'";
  for (const char c : pattern) text.append(c == '$' || c == '\'' ? 2 : 1, c);  // $ would expand
  text.push_back('\'');
  return text;
}

std::vector<LogFormat> log_formats(const LogSample& sample, std::string_view path) {
  std::vector<LogFormat> formats;
  if (sample.lines().empty()) return formats;
  add_containers(formats);
  formats.push_back(plain_format("JSON", "parse_json", [] { return make_json_parser({}); }));
  formats.back().is_one = has_any;
  add_access_logs(formats, path);
  add_line_formats(formats, false);
  formats.push_back(plain_format("syslog", "parse_syslog", [] { return make_syslog_parser({}); }));
  formats.back().is_one = is_syslog;
  formats.back().holds_message = true;
  formats.push_back(pairs_format(' ', '=', false));
  formats.push_back(pairs_format(' ', '=', true));
  for (const char pair_separator : {' ', ',', ';', '|', '\t', '&'}) {
    for (const char key_separator : {'=', ':'}) {
      if (pair_separator != ' ' || key_separator != '=')
        formats.push_back(pairs_format(pair_separator, key_separator, false));
    }
  }
  add_values(formats, sample);
  add_line_formats(formats, true);
  return formats;
}

}  // namespace logflume
