#include "parse/log_format_parser.h"

#include <fmt/format.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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

// The first `c`, or `end`. Values are short: a call of memchr costs more than most of them. REQUIRES: 15
// bytes behind `end` may be read.
const char* find_char(const char* at, const char* end, char c) {
#if defined(__SSE2__)
  const __m128i wanted = _mm_set1_epi8(c);
  for (; at < end; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const int found = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, wanted));
    if (found != 0) return std::min(at + __builtin_ctz(static_cast<unsigned>(found)), end);
  }
  return end;
#else
  const auto* const found = static_cast<const char*>(std::memchr(at, c, static_cast<std::size_t>(end - at)));
  return found == nullptr ? end : found;
#endif
}

class LogFormatParser final : public Parser {
 public:
  LogFormatParser(Format format, const WantedFields& wanted) : begin_(std::move(format.begin)) {
    bool has_request = false;
    for (Variable& variable : format.variables) {
      has_request = has_request || variable.meaning == Meaning::kRequest;
      if (variable.meaning >= Meaning::kLocalTime) ++times_;
      const bool is_wanted = wanted.has(variable.name);
      steps_.push_back(Step(std::move(variable), is_wanted));
    }
    // Of a name that comes twice the last one counts.
    const auto takes = [&](std::string_view name, std::size_t from) {
      return std::any_of(steps_.begin() + static_cast<std::ptrdiff_t>(from), steps_.end(),
                         [&](const Step& step) { return step.variable.name == name; });
    };
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (takes(steps_[i].variable.name, i + 1)) steps_[i].wanted = false;
    }
    for (std::size_t i = 0; i < kRequestParts.size(); ++i)
      part_wanted_[i] = has_request && wanted.has(kRequestParts[i]) && !takes(kRequestParts[i], 0);
    split_ = part_wanted_[0] || part_wanted_[1] || part_wanted_[2];
    time_wanted_ = times_ > 0 && wanted.has("timestamp") && !takes("timestamp", 0);
  }

  void begin(Columns& columns, std::int64_t /*now_ns*/) override {
    columns_ = &columns;
    for (Step& step : steps_) {
      if (step.wanted) step.column = columns.index_of(step.variable.name);
    }
    for (std::size_t i = 0; i < kRequestParts.size(); ++i) {
      if (part_wanted_[i]) part_columns_[i] = columns.index_of(kRequestParts[i]);
    }
    if (time_wanted_) timestamp_column_ = columns.index_of("timestamp");
  }

  ParseFault parse(std::string_view line, FoundFields& found) override {
    if (!begin_.empty() && !line.starts_with(begin_)) return ParseFault::kSyntax;
    escaped_ = std::memchr(line.data(), '\\', line.size()) != nullptr;
    const char* at = line.data() + begin_.size();
    const char* const end = line.data() + line.size();
    for (const Step& step : steps_) {
      const char* const value_end = find_end(at, end, step);
      if (value_end == nullptr) return ParseFault::kSyntax;
      const std::string_view text(at, static_cast<std::size_t>(value_end - at));
      at = value_end + step.until_bytes;
      const ParseFault fault = take(step, text, found);
      if (fault != ParseFault::kNone) return fault;
    }
    return at == end ? ParseFault::kNone : ParseFault::kSyntax;
  }

 private:
  static constexpr std::array<std::string_view, 3> kRequestParts = {"method", "path", "protocol"};
  struct Step {
    Step(Variable of, bool is_wanted)
        : wanted(is_wanted), until_bytes(of.until.size()), variable(std::move(of)) {
      std::memcpy(&head, variable.until.data(), std::min(until_bytes, sizeof head));
      std::memset(&head_mask, 0xFF, std::min(until_bytes, sizeof head));
    }
    // Whether the text behind the variable stands there. REQUIRES: 8 bytes may be read.
    bool ends_at(const char* at) const {
      std::uint64_t found = 0;
      std::memcpy(&found, at, sizeof found);
      if ((found & head_mask) != head) return false;
      return until_bytes <= sizeof head || std::string_view(at, until_bytes) == variable.until;
    }

    bool wanted;
    std::size_t column = 0;
    std::size_t until_bytes;
    std::uint64_t head = 0;  // the first bytes of the text behind it
    std::uint64_t head_mask = 0;
    Variable variable;
  };

  // Where the text behind the variable begins; null when it is not there.
  static const char* find_end(const char* at, const char* end, const Step& step) {
    if (step.until_bytes == 0) return end;
    const char first = step.variable.until[0];
    for (const char* const begin = at;; ++at) {
      at = find_char(at, end, first);
      if (static_cast<std::size_t>(end - at) < step.until_bytes) return nullptr;
      if (!step.ends_at(at)) continue;
      const bool goes_on = step.variable.list && first == ' ' && at + 1 < end && at > begin &&
                           (at[-1] == ',' || at[-1] == ':' || at[1] == ':');
      if (!goes_on) return at;
    }
  }

  ParseFault take(const Step& step, std::string_view text, FoundFields& found) {
    if (text.size() == 1 && text[0] == '-') {
      if (step.wanted) found.add_new(step.column, ValueKind::kNull, Slot::null());
      return ParseFault::kNone;
    }
    ValueKind kind = ValueKind::kString;
    Slot slot = Slot::null();
    ParseFault fault = ParseFault::kNone;
    switch (step.variable.meaning) {
      case Meaning::kText:
        return take_text(step, text, found);
      case Meaning::kInt:
        fault = field_value(*columns_, text, FieldType::kInt, kind, slot);
        break;
      case Meaning::kDouble:
        // Of several upstreams there are several: "0.1, 0.2".
        if (!is_json_number(text)) return take_text(step, text, found);
        kind = ValueKind::kNumber;
        slot = Slot::of(columns_->ref(text));
        break;
      case Meaning::kRequest:
        if (split_) fault = split_request(text, found);
        return fault != ParseFault::kNone ? fault : take_text(step, text, found);
      case Meaning::kLocalTime:
      case Meaning::kIsoTime:
      case Meaning::kEpoch:
        fault = take_time(step.variable.meaning, text, found);
        if (fault != ParseFault::kNone) return fault;
        if (step.variable.meaning != Meaning::kEpoch) return take_text(step, text, found);
        kind = ValueKind::kNumber;
        slot = Slot::of(columns_->ref(text));
        break;
    }
    if (fault == ParseFault::kNone && step.wanted) found.add_new(step.column, kind, slot);
    return fault;
  }

  ParseFault take_text(const Step& step, std::string_view text, FoundFields& found) {
    return step.wanted ? add_text(step.column, text, found) : ParseFault::kNone;
  }
  ParseFault add_text(std::size_t column, std::string_view text, FoundFields& found) {
    if (escaped_ && text.find('\\') != std::string_view::npos) return add_unescaped(column, text, found);
    found.add_new(column, ValueKind::kString, Slot::of(columns_->ref(text)));
    return ParseFault::kNone;
  }
  ParseFault add_unescaped(std::size_t column, std::string_view text, FoundFields& found) {
    char* const room = columns_->begin_text(text.size());
    if (room == nullptr) return ParseFault::kTooLarge;
    found.add_new(column, ValueKind::kString, Slot::of(columns_->finish_text(unescape(text, room))));
    return ParseFault::kNone;
  }

  // "GET /a?b HTTP/1.1"; anything else, and there is everything in requests, has no parts.
  ParseFault split_request(std::string_view text, FoundFields& found) {
    const char* const end = text.data() + text.size();
    const char* const first = find_char(text.data(), end, ' ');
    const char* last = end;
    while (last > first && last[-1] != ' ') --last;
    if (first == end || last <= first + 1 || first == text.data() || last == end) return ParseFault::kNone;
    const auto part = [](const char* begin, const char* stop) {
      return std::string_view(begin, static_cast<std::size_t>(stop - begin));
    };
    const std::array<std::string_view, 3> parts = {part(text.data(), first), part(first + 1, last - 1),
                                                   part(last, end)};
    if (!parts[2].starts_with("HTTP/") || parts[0].size() > 32) return ParseFault::kNone;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (!part_wanted_[i]) continue;
      const ParseFault fault = add_text(part_columns_[i], parts[i], found);
      if (fault != ParseFault::kNone) return fault;
    }
    return ParseFault::kNone;
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
    if (!time_wanted_) return ParseFault::kNone;
    if (times_ > 1) {
      found.add(timestamp_column_, ValueKind::kTimestamp, Slot::of(last_time_));
    } else {
      found.add_new(timestamp_column_, ValueKind::kTimestamp, Slot::of(last_time_));
    }
    return ParseFault::kNone;
  }

  const std::string begin_;
  std::vector<Step> steps_;
  std::array<bool, 3> part_wanted_{};
  std::array<std::size_t, 3> part_columns_{};
  bool split_ = false;  // one of these is wanted
  bool time_wanted_ = false;
  std::size_t times_ = 0;
  std::size_t timestamp_column_ = 0;
  Columns* columns_ = nullptr;
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

constexpr std::array<std::string_view, 15> kNginxInts = {
    "status",        "body_bytes_sent", "bytes_sent",     "request_length",      "connection",
    "pid",           "content_length",  "remote_port",    "connection_requests", "server_port",
    "upstream_port", "proxy_port",      "bytes_received", "tcpinfo_rtt",         "connections_active"};
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
