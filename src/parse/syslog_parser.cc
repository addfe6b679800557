#include "parse/syslog_parser.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/characters.h"
#include "base/civil_time.h"
#include "parse/fixed_fields.h"
#include "parse/time_format.h"

namespace logflume {
namespace {

constexpr std::array<std::string_view, 24> kFacilities = {
    "kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
    "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock",
    "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7"};
constexpr std::array<std::string_view, 8> kSeverities = {"emerg",   "alert",  "crit", "err",
                                                         "warning", "notice", "info", "debug"};

enum Name : std::size_t {
  kFacility,
  kSeverity,
  kTimestamp,
  kHostname,
  kAppname,
  kProcid,
  kMsgid,
  kStructuredData,
  kMessage,
  kNames
};
constexpr std::array<std::string_view, kNames> kFieldNames = {"facility", "severity",        "timestamp",
                                                              "hostname", "appname",         "procid",
                                                              "msgid",    "structured_data", "message"};

// Up to the next blank, which is taken too.
std::string_view take_word(std::string_view& text) {
  const std::size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

class SyslogParser final : public Parser {
 public:
  explicit SyslogParser(const SyslogParserConfig& config)
      : fields_(kFieldNames, config.wanted),
        without_year_(*TimeFormat::compile("%b %e %H:%M:%S", config.offset_minutes)),
        with_year_(*TimeFormat::compile("%b %e %Y %H:%M:%S", config.offset_minutes)) {}

  void begin(Columns& columns, std::int64_t now_ns) override {
    fields_.begin(columns);
    now_ns_ = now_ns;
  }

  ParseFault parse(std::string_view line, FoundFields& found) override {
    found_ = &found;
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool has_priority = line.starts_with('<');
    if (has_priority && !take_priority(line)) return ParseFault::kSyntax;
    if (has_priority && line.starts_with("1 ")) return rfc5424(line.substr(2));
    return rfc3164(line);
  }

 private:
  void add(Name name, std::string_view text) { fields_.add(*found_, name, text); }
  void add_or_null(Name name, std::string_view text) {
    if (text != "-") return add(name, text);
    fields_.add(*found_, name, ValueKind::kNull, Slot::null());
  }
  void add_time(std::int64_t ns) { fields_.add(*found_, kTimestamp, ValueKind::kTimestamp, Slot::of(ns)); }

  // "<34>".
  bool take_priority(std::string_view& line) {
    std::size_t at = 1;
    std::size_t priority = 0;
    for (; at < line.size() && at < 4 && is_digit(line[at]); ++at)
      priority = priority * 10 + static_cast<std::size_t>(line[at] - '0');
    if (at == 1 || at == line.size() || line[at] != '>' || priority >= kFacilities.size() * 8) return false;
    line.remove_prefix(at + 1);
    fields_.add_made(*found_, kFacility, kFacilities[priority / 8]);
    fields_.add_made(*found_, kSeverity, kSeverities[priority % 8]);
    return true;
  }

  ParseFault rfc5424(std::string_view rest) {
    const std::string_view time = take_word(rest);
    if (time != "-") {
      const auto ns = parse_rfc3339(time);
      if (!ns) return ParseFault::kTime;
      add_time(*ns);
    }
    for (const Name name : {kHostname, kAppname, kProcid, kMsgid}) {
      const std::string_view word = take_word(rest);
      if (word.empty()) return ParseFault::kSyntax;
      add_or_null(name, word);
    }
    if (rest.starts_with('-')) {
      rest.remove_prefix(1);
      fields_.add(*found_, kStructuredData, ValueKind::kNull, Slot::null());
    } else if (!take_structured_data(rest)) {
      return ParseFault::kSyntax;
    }
    if (!rest.empty() && rest[0] != ' ') return ParseFault::kSyntax;
    if (rest.empty()) return ParseFault::kNone;
    rest.remove_prefix(1);
    if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
    add(kMessage, rest);
    return ParseFault::kNone;
  }

  // [id name="value" ...][...] as {"id":{"name":"value"}}.
  bool take_structured_data(std::string_view& rest) {
    json_.clear();
    json_.push_back('{');
    std::size_t at = 0;
    const auto name = [&](std::string_view stops) {
      const std::size_t begin = at;
      while (at < rest.size() && rest[at] > ' ' && rest[at] < 127 && rest[at] != '=' && rest[at] != ']' &&
             rest[at] != '"')
        ++at;
      if (at == begin || at == rest.size() || stops.find(rest[at]) == std::string_view::npos) return false;
      json_.push_back('"');
      append_escaped(rest.substr(begin, at - begin));
      json_.push_back('"');
      return true;
    };
    while (at < rest.size() && rest[at] == '[') {
      ++at;
      if (json_.size() > 1) json_.push_back(',');
      if (!name(" ]")) return false;
      json_.append(":{");
      bool first = true;
      while (at < rest.size() && rest[at] == ' ') {
        ++at;
        if (!first) json_.push_back(',');
        first = false;
        if (!name("=") || rest.substr(at, 2) != "=\"") return false;
        at += 2;
        json_.append(":\"");
        value_.clear();
        for (; at < rest.size() && rest[at] != '"'; ++at) {
          const bool escapes = rest[at] == '\\' && at + 1 < rest.size() &&
                               (rest[at + 1] == '"' || rest[at + 1] == '\\' || rest[at + 1] == ']');
          if (escapes) ++at;
          value_.push_back(rest[at]);
        }
        if (at >= rest.size()) return false;
        ++at;
        append_escaped(value_);
        json_.push_back('"');
      }
      if (at >= rest.size() || rest[at] != ']') return false;
      ++at;
      json_.push_back('}');
    }
    if (json_.size() == 1) return false;
    json_.push_back('}');
    rest.remove_prefix(at);
    TextRef ref;
    if (fields_.wants(kStructuredData) && fields_.columns().copy(json_, ref))
      fields_.add(*found_, kStructuredData, ValueKind::kJson, Slot::of(ref));
    return true;
  }

  // Into JSON: bytes that are not ASCII are taken as they are where they are UTF-8, which the encoder of a
  // sink minds.
  void append_escaped(std::string_view text) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    for (const char c : text) {
      if (c == '"' || c == '\\') json_.push_back('\\');
      if (static_cast<unsigned char>(c) >= 0x20) {
        json_.push_back(c);
      } else {
        json_.append("\\u00");
        json_.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
        json_.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
      }
    }
  }

  ParseFault rfc3164(std::string_view rest) {
    if (!take_time(rest)) return ParseFault::kTime;
    while (rest.starts_with(' ')) rest.remove_prefix(1);
    // "host tag[pid]: text", "tag: text", "host text": a word that has the marks of a tag is one.
    std::string_view behind = rest;
    const std::string_view word = take_word(behind);
    if (!word.empty() && word.back() != ':' && word.find('[') == std::string_view::npos &&
        word.size() < rest.size()) {
      add(kHostname, word);
      rest = behind;
    }
    take_tag(rest);
    add(kMessage, rest);
    return ParseFault::kNone;
  }

  // "tag[pid]: ", "tag: ".
  void take_tag(std::string_view& rest) {
    std::size_t at = 0;
    while (at < rest.size() && rest[at] > ' ' && rest[at] != ':' && rest[at] != '[') ++at;
    if (at == 0 || at == rest.size()) return;
    const std::string_view tag = rest.substr(0, at);
    std::string_view pid;
    if (rest[at] == '[') {
      const std::size_t end = rest.find(']', at);
      if (end == std::string_view::npos) return;
      pid = rest.substr(at + 1, end - at - 1);
      at = end + 1;
    }
    const bool colon = at < rest.size() && rest[at] == ':';
    if (!colon && pid.empty()) return;
    add(kAppname, tag);
    if (!pid.empty()) add(kProcid, pid);
    rest.remove_prefix(at + (colon ? 1 : 0));
    if (rest.starts_with(' ')) rest.remove_prefix(1);
  }

  // Where the word with this number, from 1, ends; several blanks may stand between two.
  static std::size_t end_of_words(std::string_view text, std::size_t number) {
    std::size_t end = 0;
    for (std::size_t i = 0; i < number && end < text.size(); ++i) {
      const std::size_t begin = std::min(text.find_first_not_of(' ', end), text.size());
      end = std::min(text.find(' ', begin), text.size());
    }
    return end;
  }

  bool take_time(std::string_view& rest) {
    std::optional<std::int64_t> ns;
    if (!rest.empty() && is_digit(rest[0])) {
      ns = parse_rfc3339(take_word(rest));
    } else {
      // A star or dot before it: the sender's clock was not set.
      if (rest.starts_with('*') || rest.starts_with('.')) rest.remove_prefix(1);
      for (const TimeFormat* const format : {&without_year_, &with_year_}) {
        const std::size_t end = end_of_words(rest, format == &without_year_ ? 3 : 4);
        std::string_view text = rest.substr(0, end);
        if (text.ends_with(':')) text.remove_suffix(1);
        ns = format->parse(text, now_ns_);
        if (!ns) continue;
        rest.remove_prefix(end);
        break;
      }
    }
    if (ns) add_time(*ns);
    return ns.has_value();
  }

  FixedFields<kNames> fields_;
  const TimeFormat without_year_;
  const TimeFormat with_year_;
  FoundFields* found_ = nullptr;
  std::int64_t now_ns_ = 0;
  std::string json_;
  std::string value_;
};

}  // namespace

std::unique_ptr<Parser> make_syslog_parser(SyslogParserConfig config) {
  return std::make_unique<SyslogParser>(config);
}

}  // namespace logflume
