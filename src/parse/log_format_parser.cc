#include "parse/log_format_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/civil_time.h"
#include "parse/field_value.h"

namespace logflume {
namespace {

// What a variable's text is.
enum class Meaning { kText, kInt, kDouble, kRequest, kLocalTime, kIsoTime, kEpoch };

struct Variable {
  std::string name;
  Meaning meaning = Meaning::kText;
  std::string until;  // the text behind it; empty: the end of the line
  // Of several upstreams there are several values: "0.1, 0.2 : 0.3". A blank behind these marks does not end
  // it.
  bool list = false;
};
struct Format {
  std::string begin;  // the text before the first variable
  std::vector<Variable> variables;
};

// "10/Oct/2000:13:55:36 -0700".
std::optional<std::int64_t> parse_local_time(std::string_view text) {
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  constexpr std::size_t kBytes = 26;
  if (text.size() != kBytes || text[2] != '/' || text[6] != '/' || text[11] != ':' || text[14] != ':' ||
      text[17] != ':' || text[20] != ' ')
    return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t digits) {
    int value = 0;
    for (const char c : text.substr(at, digits)) {
      if (c < '0' || c > '9') return -1;
      value = value * 10 + (c - '0');
    }
    return value;
  };
  const std::size_t month = kMonths.find(text.substr(3, 3));
  const auto offset = parse_utc_offset(text.substr(21));
  if (month == std::string_view::npos || month % 3 != 0 || !offset) return std::nullopt;
  CivilTime time;
  time.day = number(0, 2);
  time.month = static_cast<int>(month / 3) + 1;
  time.year = number(7, 4);
  time.hour = number(12, 2);
  time.minute = number(15, 2);
  time.second = number(18, 2);
  if (time.day < 0 || time.year < 0 || time.hour < 0 || time.minute < 0 || time.second < 0)
    return std::nullopt;
  return from_civil_time(time, *offset);
}

// Seconds since 1970 with a fraction: "1767323045.678".
std::optional<std::int64_t> parse_epoch(std::string_view text) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || seconds < 0 || seconds > 9'000'000'000) return std::nullopt;
  std::string_view fraction = text.substr(static_cast<std::size_t>(end - text.data()));
  std::int64_t ns = 0;
  if (!fraction.empty()) {
    if (fraction[0] != '.' || fraction.size() < 2 || fraction.size() > 10) return std::nullopt;
    std::int64_t scale = 100'000'000;
    for (const char c : fraction.substr(1)) {
      if (c < '0' || c > '9') return std::nullopt;
      ns += (c - '0') * scale;
      scale /= 10;
    }
  }
  return seconds * 1'000'000'000 + ns;
}

// \xHH, and what escape=json makes: \" \\ \/ \b \f \n \r \t \u00HH. Others stay.
std::size_t unescape(std::string_view text, char* out) {
  const char* const begin = out;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '\\' || at + 1 == text.size()) {
      *out++ = text[at++];
      continue;
    }
    static constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    const char c = text[at + 1];
    const std::size_t simple = kFrom.find(c);
    std::size_t digits_at = 0;
    if (c == 'x') digits_at = at + 2;
    if (c == 'u' && text.substr(at + 2, 2) == "00") digits_at = at + 4;
    unsigned value = 0;
    const bool has_digits = digits_at > 0 && digits_at + 2 <= text.size();
    const auto read = has_digits
                          ? std::from_chars(text.data() + digits_at, text.data() + digits_at + 2, value, 16)
                          : std::from_chars_result{text.data(), std::errc::invalid_argument};
    if (read.ec == std::errc() && read.ptr == text.data() + digits_at + 2) {
      *out++ = static_cast<char>(value);
      at = digits_at + 2;
    } else if (simple != std::string_view::npos) {
      *out++ = kTo[simple];
      at += 2;
    } else {
      *out++ = text[at++];
    }
  }
  return static_cast<std::size_t>(out - begin);
}

class LogFormatParser final : public Parser {
 public:
  LogFormatParser(Format format, const WantedFields& wanted) : format_(std::move(format)) {
    for (const Variable& variable : format_.variables) {
      wanted_.push_back(wanted.has(variable.name));
      if (variable.meaning == Meaning::kRequest) {
        for (std::size_t i = 0; i < kRequestParts.size(); ++i) part_wanted_[i] = wanted.has(kRequestParts[i]);
      }
    }
    time_wanted_ = wanted.has("timestamp");
  }

  void begin(Columns& columns, std::int64_t /*now_ns*/) override {
    columns_ = &columns;
    places_.clear();
    for (std::size_t i = 0; i < format_.variables.size(); ++i)
      places_.push_back(wanted_[i] ? columns.index_of(format_.variables[i].name) : 0);
    const bool has_request = std::ranges::any_of(
        format_.variables, [](const Variable& variable) { return variable.meaning == Meaning::kRequest; });
    for (std::size_t i = 0; i < kRequestParts.size(); ++i)
      part_places_[i] = has_request && part_wanted_[i] ? columns.index_of(kRequestParts[i]) : 0;
    const bool has_time = std::ranges::any_of(
        format_.variables, [](const Variable& variable) { return variable.meaning >= Meaning::kLocalTime; });
    timestamp_place_ = has_time && time_wanted_ ? columns.index_of("timestamp") : 0;
  }

  ParseFault parse(std::string_view line, FoundFields& found) override {
    if (!line.starts_with(format_.begin)) return ParseFault::kSyntax;
    escaped_ = std::memchr(line.data(), '\\', line.size()) != nullptr;
    const char* at = line.data() + format_.begin.size();
    const char* const end = line.data() + line.size();
    for (std::size_t i = 0; i < format_.variables.size(); ++i) {
      const Variable& variable = format_.variables[i];
      const char* const value_end = find(at, end, variable);
      if (value_end == nullptr) return ParseFault::kSyntax;
      const std::string_view text(at, static_cast<std::size_t>(value_end - at));
      at = value_end + variable.until.size();
      const ParseFault fault = take(variable, i, text, found);
      if (fault != ParseFault::kNone) return fault;
    }
    return at == end ? ParseFault::kNone : ParseFault::kSyntax;
  }

 private:
  static constexpr std::array<std::string_view, 3> kRequestParts = {"method", "path", "protocol"};

  // Where the text behind the variable begins; null when it is not there.
  static const char* find(const char* at, const char* end, const Variable& variable) {
    const std::string& text = variable.until;
    if (text.empty()) return end;
    for (const char* const begin = at;; ++at) {
      at = static_cast<const char*>(std::memchr(at, text[0], static_cast<std::size_t>(end - at)));
      if (at == nullptr || static_cast<std::size_t>(end - at) < text.size()) return nullptr;
      if (text.size() > 1 && std::memcmp(at + 1, text.data() + 1, text.size() - 1) != 0) continue;
      const bool goes_on = variable.list && text[0] == ' ' && at + 1 < end && at > begin &&
                           (at[-1] == ',' || at[-1] == ':' || at[1] == ':');
      if (!goes_on) return at;
    }
  }

  ParseFault take(const Variable& variable, std::size_t index, std::string_view text, FoundFields& found) {
    if (text == "-") {
      if (wanted_[index]) found.add(places_[index], ValueKind::kNull, Slot::null());
      return ParseFault::kNone;
    }
    ValueKind kind = ValueKind::kString;
    Slot slot = Slot::null();
    ParseFault fault = ParseFault::kNone;
    switch (variable.meaning) {
      case Meaning::kInt:
        fault = field_value(*columns_, text, FieldType::kInt, kind, slot);
        break;
      case Meaning::kDouble:
        // Of several upstreams there are several: "0.1, 0.2".
        if (!is_json_number(text) ||
            field_value(*columns_, text, FieldType::kDouble, kind, slot) != ParseFault::kNone)
          return take_text(index, text, found);
        break;
      case Meaning::kRequest:
        split_request(text, found);
        return take_text(index, text, found);
      case Meaning::kLocalTime:
      case Meaning::kIsoTime:
      case Meaning::kEpoch:
        fault = take_time(variable.meaning, text, found);
        if (fault != ParseFault::kNone) return fault;
        if (variable.meaning != Meaning::kEpoch) return take_text(index, text, found);
        kind = ValueKind::kNumber;
        slot = Slot::of(columns_->ref(text));
        break;
      case Meaning::kText:
        return take_text(index, text, found);
    }
    if (fault == ParseFault::kNone && wanted_[index]) found.add(places_[index], kind, slot);
    return fault;
  }

  ParseFault take_text(std::size_t index, std::string_view text, FoundFields& found) {
    if (!wanted_[index]) return ParseFault::kNone;
    return add_text(places_[index], text, found);
  }
  ParseFault add_text(std::size_t place, std::string_view text, FoundFields& found) {
    if (!escaped_ || text.find('\\') == std::string_view::npos) {
      found.add(place, ValueKind::kString, Slot::of(columns_->ref(text)));
      return ParseFault::kNone;
    }
    char* const room = columns_->begin_text(text.size());
    if (room == nullptr) return ParseFault::kTooLarge;
    found.add(place, ValueKind::kString, Slot::of(columns_->finish_text(unescape(text, room))));
    return ParseFault::kNone;
  }

  // "GET /a?b HTTP/1.1"; anything else, and there is everything in requests, has no parts.
  void split_request(std::string_view text, FoundFields& found) {
    if (!part_wanted_[0] && !part_wanted_[1] && !part_wanted_[2]) return;
    const std::size_t first = text.find(' ');
    const std::size_t last = text.rfind(' ');
    if (first == std::string_view::npos || last == first || first == 0 || last + 1 == text.size()) return;
    const std::string_view method = text.substr(0, first);
    const std::string_view protocol = text.substr(last + 1);
    if (!protocol.starts_with("HTTP/") || method.size() > 32) return;
    const std::array<std::string_view, 3> parts = {method, text.substr(first + 1, last - first - 1),
                                                   protocol};
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (part_wanted_[i]) (void)add_text(part_places_[i], parts[i], found);
    }
  }

  ParseFault take_time(Meaning meaning, std::string_view text, FoundFields& found) {
    // Lines that follow each other often have the same second.
    if (text != last_time_text_) {
      std::optional<std::int64_t> ns;
      if (meaning == Meaning::kLocalTime) ns = parse_local_time(text);
      if (meaning == Meaning::kIsoTime) ns = parse_rfc3339(text);
      if (meaning == Meaning::kEpoch) ns = parse_epoch(text);
      if (!ns) return ParseFault::kTime;
      last_time_text_ = text;
      last_time_ = *ns;
    }
    if (time_wanted_) found.add(timestamp_place_, ValueKind::kTimestamp, Slot::of(last_time_));
    return ParseFault::kNone;
  }

  const Format format_;
  std::vector<bool> wanted_;  // by variable
  std::array<bool, 3> part_wanted_{};
  bool time_wanted_ = false;
  Columns* columns_ = nullptr;
  std::vector<std::size_t> places_;
  std::array<std::size_t, 3> part_places_{};
  std::size_t timestamp_place_ = 0;
  bool escaped_ = false;  // this line has a backslash
  std::string last_time_text_;
  std::int64_t last_time_ = 0;
};

Error wrong(std::string message) { return Error{Errc::kInvalidArgument, 0, std::move(message)}; }

Result<Format> checked(Format format) {
  if (format.variables.empty()) return wrong("the format has no variable");
  for (std::size_t i = 0; i + 1 < format.variables.size(); ++i) {
    if (format.variables[i].until.empty())
      return wrong(fmt::format("nothing stands between {} and {}: where one ends cannot be told",
                               format.variables[i].name, format.variables[i + 1].name));
  }
  return format;
}

// -- nginx
// ------------------------------------------------------------------------------------------------------------

constexpr std::array<std::string_view, 16> kNginxInts = {"status",
                                                         "body_bytes_sent",
                                                         "bytes_sent",
                                                         "request_length",
                                                         "connection",
                                                         "pid",
                                                         "content_length",
                                                         "remote_port",
                                                         "connection_requests",
                                                         "server_port",
                                                         "upstream_port",
                                                         "proxy_port",
                                                         "upstream_status",
                                                         "bytes_received",
                                                         "tcpinfo_rtt",
                                                         "connections_active"};
constexpr std::array<std::string_view, 7> kNginxDoubles = {
    "request_time", "upstream_response_time", "upstream_connect_time", "upstream_header_time",
    "gzip_ratio",   "session_time",           "connection_time"};

Meaning nginx_meaning(std::string_view name) {
  if (name == "request") return Meaning::kRequest;
  if (name == "time_local") return Meaning::kLocalTime;
  if (name == "time_iso8601") return Meaning::kIsoTime;
  if (name == "msec") return Meaning::kEpoch;
  // Of several upstreams there are several numbers, which are then a text.
  if (name == "upstream_status" || std::ranges::find(kNginxDoubles, name) != kNginxDoubles.end())
    return Meaning::kDouble;
  return std::ranges::find(kNginxInts, name) != kNginxInts.end() ? Meaning::kInt : Meaning::kText;
}

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

Result<Format> nginx_format(std::string_view text) {
  Format format;
  std::string* between = &format.begin;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '$') {
      between->push_back(text[at++]);
      continue;
    }
    const std::size_t dollar = at++;
    const bool braces = at < text.size() && text[at] == '{';
    if (braces) ++at;
    const std::size_t begin = at;
    while (at < text.size() && is_name(text[at])) ++at;
    Variable variable;
    variable.name = text.substr(begin, at - begin);
    if (variable.name.empty() || (braces && (at == text.size() || text[at] != '}')))
      return wrong(fmt::format("a variable without a name at character {}", dollar + 1));
    if (braces) ++at;
    variable.meaning = nginx_meaning(variable.name);
    variable.list = variable.name.starts_with("upstream_");
    format.variables.push_back(std::move(variable));
    between = &format.variables.back().until;
  }
  return checked(std::move(format));
}

// -- Apache
// -----------------------------------------------------------------------------------------------------------

struct Directive {
  std::string_view letters;
  std::string_view name;
  Meaning meaning = Meaning::kText;
};
constexpr Directive kDirectives[] = {{"h", "remote_addr"},
                                     {"a", "remote_addr"},
                                     {"A", "server_addr"},
                                     {"l", "remote_logname"},
                                     {"u", "remote_user"},
                                     {"r", "request", Meaning::kRequest},
                                     {"s", "status", Meaning::kInt},
                                     {"b", "body_bytes_sent", Meaning::kInt},
                                     {"B", "body_bytes_sent", Meaning::kInt},
                                     {"O", "bytes_sent", Meaning::kInt},
                                     {"I", "request_length", Meaning::kInt},
                                     {"D", "request_time_us", Meaning::kInt},
                                     {"T", "request_time", Meaning::kDouble},
                                     {"m", "method"},
                                     {"U", "path"},
                                     {"q", "query"},
                                     {"H", "protocol"},
                                     {"v", "server_name"},
                                     {"V", "server_name"},
                                     {"p", "server_port", Meaning::kInt},
                                     {"P", "pid", Meaning::kInt},
                                     {"X", "connection_status"},
                                     {"k", "connection_requests", Meaning::kInt},
                                     {"L", "log_id"},
                                     {"f", "request_filename"},
                                     {"R", "handler"}};

// As nginx names what comes from a header: "User-Agent" is "user_agent".
std::string header_name(std::string_view header) {
  std::string name;
  for (const char c : header)
    name.push_back(is_name(c) ? static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c) : '_');
  return name;
}

std::optional<Variable> apache_variable(char letter, std::string_view argument) {
  if (letter == 't' && argument.empty()) return Variable{"time_local", Meaning::kLocalTime, {}, false};
  if (letter == 'i') return Variable{"http_" + header_name(argument), Meaning::kText, {}, false};
  if (letter == 'o') return Variable{"sent_http_" + header_name(argument), Meaning::kText, {}, false};
  if (letter == 'C') return Variable{"cookie_" + header_name(argument), Meaning::kText, {}, false};
  if (letter == 'e' || letter == 'n') return Variable{header_name(argument), Meaning::kText, {}, false};
  if (letter == 'T' && argument == "us") return Variable{"request_time_us", Meaning::kInt, {}, false};
  if (letter == 'T' && argument == "ms") return Variable{"request_time_ms", Meaning::kInt, {}, false};
  for (const Directive& directive : kDirectives) {
    if (directive.letters[0] == letter)
      return Variable{std::string(directive.name), directive.meaning, {}, false};
  }
  return std::nullopt;
}

Result<Format> apache_format(std::string_view text) {
  Format format;
  std::string* between = &format.begin;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == '"' || text[at + 1] == '\\')) {
      between->push_back(text[at + 1]);  // as it stands in httpd.conf
      at += 2;
      continue;
    }
    if (text[at] != '%' || text.substr(at, 2) == "%%") {
      between->push_back(text[at]);
      at += text[at] == '%' ? 2 : 1;
      continue;
    }
    const std::size_t percent = at++;
    std::string_view argument;
    while (at < text.size() && (text[at] == '<' || text[at] == '>' || text[at] == '!' || text[at] == ',' ||
                                (text[at] >= '0' && text[at] <= '9')))
      ++at;
    if (at < text.size() && text[at] == '{') {
      const std::size_t end = text.find('}', at);
      if (end == std::string_view::npos) return wrong(fmt::format("no }} behind character {}", at + 1));
      argument = text.substr(at + 1, end - at - 1);
      at = end + 1;
    }
    if (at < text.size() && text[at] == '^') return wrong("%^ti and its like are not supported");
    auto variable = at < text.size() ? apache_variable(text[at], argument) : std::nullopt;
    if (!variable)
      return wrong(fmt::format("\"{}\" is no directive that is known",
                               text.substr(percent, std::min(at + 1, text.size()) - percent)));
    ++at;
    const bool is_time = variable->meaning == Meaning::kLocalTime;
    if (is_time) between->push_back('[');
    format.variables.push_back(std::move(*variable));
    between = &format.variables.back().until;
    if (is_time) between->push_back(']');
  }
  return checked(std::move(format));
}

Result<std::unique_ptr<Parser>> made(Result<Format> format, const WantedFields& wanted) {
  if (!format) return std::move(format).error();
  return std::unique_ptr<Parser>(std::make_unique<LogFormatParser>(std::move(*format), wanted));
}

}  // namespace

Result<std::unique_ptr<Parser>> make_nginx_parser(const LogFormatConfig& config) {
  static constexpr std::string_view kCommon =
      R"($remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent)";
  std::string format = config.format;
  if (format == "common") format = kCommon;
  if (format == "combined") format = std::string(kCommon).append(R"( "$http_referer" "$http_user_agent")");
  return made(nginx_format(format), config.wanted);
}

Result<std::unique_ptr<Parser>> make_apache_parser(const LogFormatConfig& config) {
  static constexpr std::string_view kCommon = R"(%h %l %u %t "%r" %>s %b)";
  std::string format = config.format;
  if (format == "common") format = kCommon;
  if (format == "combined") format = std::string(kCommon).append(R"( "%{Referer}i" "%{User-Agent}i")");
  return made(apache_format(format), config.wanted);
}

}  // namespace logflume
