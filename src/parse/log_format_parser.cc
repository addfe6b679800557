#include "parse/log_format_parser.h"

#include <fmt/format.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/characters.h"
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

// Whether a time may have it.
bool is_of_time(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("/:+-. ").find(c) != std::string_view::npos;
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

// The next eight bytes. REQUIRES: they may be read.
std::uint64_t load_word(const char* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

#if defined(__SSE2__)
// Which bytes are `c`, of so many vectors of 16.
template <unsigned kVectors>
[[gnu::always_inline]] inline std::uint64_t matches(const char* at, char c) {
  const __m128i wanted = _mm_set1_epi8(c);
  std::uint64_t found = 0;
#pragma GCC unroll 4
  for (unsigned i = 0; i < kVectors; ++i) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 16 * i));
    found |= static_cast<std::uint64_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, wanted))) << (16 * i);
  }
  return found;
}
#endif

// The first `c`, or some place at or behind `end`, by less than 16 bytes. Values are short: a call of memchr
// costs more than most of them. REQUIRES: 64 bytes behind `end` may be read.
[[gnu::always_inline]] inline const char* find_char(const char* at, const char* end, char c) {
#if defined(__SSE2__)
  // Most are found at once; of those that are not, few in the next sixteen bytes.
  if (const std::uint64_t found = matches<1>(at, c); found != 0) return at + std::countr_zero(found);
  for (at += 16; at < end; at += 64) {
    if (const std::uint64_t found = matches<4>(at, c); found != 0)
      return std::min(at + std::countr_zero(found), end);
  }
  return end;
#else
  if (at >= end) return at;
  const auto* const found = static_cast<const char*>(std::memchr(at, c, static_cast<std::size_t>(end - at)));
  return found == nullptr ? end : found;
#endif
}

// The last `c`. REQUIRES: there is one.
const char* find_last_char([[maybe_unused]] const char* begin, const char* end, char c) {
#if defined(__SSE2__)
  if (end - begin >= 16) {
    const auto found = static_cast<std::uint32_t>(matches<1>(end - 16, c));
    if (found != 0) return end - 16 + (std::bit_width(found) - 1);
  }
#endif
  while (*--end != c) {
  }
  return end;
}

// The number that a text begins with: up to 7 digits, without a zero in front of others. `count`: 0 where
// there is something else, or more.
struct Digits {
  std::int64_t value = 0;
  unsigned count = 0;
};
[[gnu::always_inline]] inline Digits leading_digits(std::uint64_t word) {
  if constexpr (std::endian::native != std::endian::little) return {};
  const std::uint64_t values = word ^ 0x3030303030303030;
  // Of a byte above 9 the top bit is set, and perhaps of bytes behind it.
  const std::uint64_t others = (values | (values + 0x7676767676767676)) & 0x8080808080808080;
  if (others == 0) return {};
  const auto count = static_cast<unsigned>(std::countr_zero(others)) / 8;
  if (count == 0 || (count > 1 && (values & 0xFF) == 0)) return {};
  // Zeros in front of them make eight: neighbours become a number of two digits, of four, of eight.
  std::uint64_t digits = values << (64 - 8 * count);
  digits = (digits * 10 + (digits >> 8)) & 0x00FF00FF00FF00FF;
  digits = (digits * 100 + (digits >> 16)) & 0x0000FFFF0000FFFF;
  digits = (digits * 10000 + (digits >> 32)) & 0xFFFFFFFF;
  return {static_cast<std::int64_t>(digits), count};
}

class LogFormatParser final : public Parser {
 public:
  LogFormatParser(Format format, const WantedFields& wanted) : begin_(std::move(format.begin)) {
    const auto takes = [&](std::string_view name, std::size_t from) {
      return std::any_of(format.variables.begin() + static_cast<std::ptrdiff_t>(from), format.variables.end(),
                         [&](const Variable& variable) { return variable.name == name; });
    };
    for (const Variable& variable : format.variables) steps_.push_back(Step(variable));
    bool has_request = false, has_time = false;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      has_request = has_request || steps_[i].meaning == Meaning::kRequest;
      has_time = has_time || steps_[i].meaning >= Meaning::kLocalTime;
      // Of a name that comes twice the last one counts.
      const std::string& name = format.variables[i].name;
      if (wanted.has(name) && !takes(name, i + 1)) outputs_.push_back({name, &steps_[i].field});
    }
    const auto make = [&](std::string_view name, FixedRow::Field*& field) {
      const bool is_wanted = wanted.has(name) && !takes(name, 0);
      if (is_wanted) outputs_.push_back({std::string(name), &field});
      return is_wanted;
    };
    for (std::size_t i = 0; has_request && i < kRequestParts.size(); ++i)
      split_ = make(kRequestParts[i], parts_[i]) || split_;
    if (has_time) make("timestamp", timestamp_);
  }

  void begin(Columns& columns, std::int64_t /*now_ns*/) override {
    columns_ = &columns;
    plain_begin_ = plain_end_ = nullptr;
    row_.begin(columns, outputs_.size());
    for (std::size_t i = 0; i < outputs_.size(); ++i)
      *outputs_[i].field = row_.add_field(columns.index_of(outputs_[i].name));
  }

  ParseFault parse(std::string_view line, FoundFields& found) override {
    if (!begin_.empty() && !line.starts_with(begin_)) return ParseFault::kSyntax;
    found.set(row_);
    row_.clear();
    line_ = line;
    line_at_ = columns_->ref(line).at;
    escaped_ = has_backslash(line);
    time_kind_ = ValueKind::kMissing;
    request_ = {};
    const char* at = line.data() + begin_.size();
    const char* const end = line.data() + line.size();
    for (const Step& step : steps_) {
      const char* next = nullptr;
      switch (step.usual) {
        case Usual::kText:
          next = take_usual_text(step, at, end);
          break;
        case Usual::kDigits:
          next = take_usual_digits(step, at);
          break;
        case Usual::kLastTime:
          next = take_last_time(step, at);
          break;
        case Usual::kNothing:
          break;
      }
      if (next == nullptr) [[unlikely]] {
        const char* const value_end = find_end(at, end, step);
        if (value_end == nullptr) return ParseFault::kSyntax;
        next = value_end + step.until_bytes;
        const ParseFault fault = take(step, {at, static_cast<std::size_t>(value_end - at)});
        if (fault != ParseFault::kNone) return fault;
      }
      if (next > end) return ParseFault::kSyntax;  // what is behind the line looked like it
      at = next;
    }
    if (at != end) return ParseFault::kSyntax;
    set(timestamp_, time_kind_, Slot::of(last_time_));
    return split_ ? split_request() : ParseFault::kNone;
  }

 private:
  static constexpr std::array<std::string_view, 3> kRequestParts = {"method", "path", "protocol"};
  // What a value mostly is, and is tried first.
  enum class Usual : std::uint8_t { kNothing, kText, kDigits, kLastTime };
  struct Step {
    explicit Step(const Variable& variable)
        : meaning(variable.meaning),
          list(variable.list),
          until_bytes(variable.until.size()),
          until(variable.until) {
      std::memcpy(&head, until.data(), std::min(until_bytes, sizeof head));
      std::memset(&head_mask, 0xFF, std::min(until_bytes, sizeof head));
      if (until.empty()) return;
      first = until[0];
      // What is tried finds the same end as a search does: no text behind the value begins within it.
      if (list || first == '-' || until_bytes >= sizeof null_head) return;
      const std::string null = '-' + until;
      std::memcpy(&null_head, null.data(), null.size());
      std::memset(&null_mask, 0xFF, null.size());
      if (meaning == Meaning::kText || meaning == Meaning::kRequest) usual = Usual::kText;
      if (meaning == Meaning::kInt && !is_digit(first)) usual = Usual::kDigits;
      if (meaning >= Meaning::kLocalTime && !is_of_time(first)) usual = Usual::kLastTime;
    }
    // Whether the text behind the variable begins there. REQUIRES: 8 bytes may be read.
    bool may_end_at(const char* at) const { return (load_word(at) & head_mask) == head; }
    bool ends_at(const char* at) const {
      return may_end_at(at) && (until_bytes <= sizeof head || std::string_view(at, until_bytes) == until);
    }

    Usual usual = Usual::kNothing;
    Meaning meaning;
    bool list;
    char first = 0;
    std::size_t until_bytes;
    std::uint64_t head = 0;  // the first bytes of the text behind it
    std::uint64_t head_mask = 0;
    std::uint64_t null_head = 0;  // "-" and the text behind it
    std::uint64_t null_mask = 0;
    FixedRow::Field* field = nullptr;  // of the row; null when nobody wants it
    std::string until;
  };

  // Values as they mostly are. Where the text behind the value ends, which may be behind the line; null when
  // it is something else.
  [[gnu::always_inline]] const char* take_usual_text(const Step& step, const char* at, const char* end) {
    if ((load_word(at) & step.null_mask) == step.null_head) {
      set(step.field, ValueKind::kNull, Slot::null());
      return at + 1 + step.until_bytes;
    }
    const char* const value_end = find_char(at, end, step.first);
    if (escaped_ || !step.may_end_at(value_end)) return nullptr;
    const std::string_view text(at, static_cast<std::size_t>(value_end - at));
    if (step.meaning == Meaning::kRequest) request_ = text;
    set(step.field, ValueKind::kString, Slot::of(ref(text)));
    return value_end + step.until_bytes;
  }
  [[gnu::always_inline]] const char* take_usual_digits(const Step& step, const char* at) {
    const Digits digits = leading_digits(load_word(at));
    if (digits.count == 0 || !step.may_end_at(at + digits.count)) return nullptr;
    set(step.field, ValueKind::kInt, Slot::of(digits.value));
    return at + digits.count + step.until_bytes;
  }
  [[gnu::always_inline]] const char* take_last_time(const Step& step, const char* at) {
    const std::size_t bytes = last_time_bytes_;
    if (step.meaning != last_time_meaning_ || !is_last_time(at) || !step.may_end_at(at + bytes))
      return nullptr;
    time_kind_ = ValueKind::kTimestamp;
    set(step.field, step.meaning == Meaning::kEpoch ? ValueKind::kNumber : ValueKind::kString,
        Slot::of(ref({at, bytes})));
    return at + bytes + step.until_bytes;
  }

  // Few texts have one: it is looked for up to the end of the text, not of the line, and what was found is
  // remembered for the next lines.
  bool has_backslash(std::string_view line) {
    const char* const begin = line.data();
    const char* const end = begin + line.size();
    if (begin >= plain_begin_ && end <= plain_end_) [[likely]]
      return false;
    const std::string_view text = columns_->events_text();
    const auto offset = static_cast<std::size_t>(begin - text.data());
    plain_begin_ = begin;
    plain_end_ = offset <= text.size() ? text.data() + text.size() : end;
    const void* const found = std::memchr(begin, '\\', static_cast<std::size_t>(plain_end_ - begin));
    if (found == nullptr) return false;
    plain_end_ = static_cast<const char*>(found);
    return plain_end_ < end;
  }

  // Where the text behind the variable begins; null when it is not there.
  static const char* find_end(const char* at, const char* end, const Step& step) {
    if (step.until_bytes == 0) return end;
    for (const char* const begin = at;; ++at) {
      at = find_char(at, end, step.first);
      if (end - at < static_cast<std::ptrdiff_t>(step.until_bytes)) return nullptr;
      if (!step.ends_at(at)) continue;
      const bool goes_on = step.list && step.first == ' ' && at + 1 < end && at > begin &&
                           (at[-1] == ',' || at[-1] == ':' || at[1] == ':');
      if (!goes_on) return at;
    }
  }

  ParseFault take(const Step& step, std::string_view text) {
    if (text.size() == 1 && text[0] == '-') {
      set(step.field, ValueKind::kNull, Slot::null());
      return ParseFault::kNone;
    }
    ValueKind kind = ValueKind::kString;
    Slot slot = Slot::null();
    ParseFault fault = ParseFault::kNone;
    switch (step.meaning) {
      case Meaning::kText:
        return set_text(step.field, text);
      case Meaning::kInt:
        fault = field_value(*columns_, text, FieldType::kInt, kind, slot);
        break;
      case Meaning::kDouble:
        // Of several upstreams there are several: "0.1, 0.2".
        if (!is_json_number(text)) return set_text(step.field, text);
        kind = ValueKind::kNumber;
        slot = Slot::of(ref(text));
        break;
      case Meaning::kRequest:
        request_ = text;
        return set_text(step.field, text);
      case Meaning::kLocalTime:
      case Meaning::kIsoTime:
      case Meaning::kEpoch:
        if (!take_time(step.meaning, text)) return ParseFault::kTime;
        if (step.meaning != Meaning::kEpoch) return set_text(step.field, text);
        kind = ValueKind::kNumber;
        slot = Slot::of(ref(text));
        break;
    }
    if (fault == ParseFault::kNone) set(step.field, kind, slot);
    return fault;
  }

  // Of a view of the line.
  TextRef ref(std::string_view text) const {
    return {line_at_ + static_cast<std::uint32_t>(text.data() - line_.data()),
            static_cast<std::uint32_t>(text.size())};
  }
  void set(FixedRow::Field* field, ValueKind kind, Slot slot) {
    if (field != nullptr) row_.set(*field, kind, slot);
  }
  ParseFault set_text(FixedRow::Field* field, std::string_view text) {
    if (escaped_ && field != nullptr && text.find('\\') != std::string_view::npos)
      return set_unescaped(field, text);
    set(field, ValueKind::kString, Slot::of(ref(text)));
    return ParseFault::kNone;
  }
  ParseFault set_unescaped(FixedRow::Field* field, std::string_view text) {
    char* const room = columns_->begin_text(text.size());
    if (room == nullptr) return ParseFault::kTooLarge;
    set(field, ValueKind::kString, Slot::of(columns_->finish_text(unescape(text, room))));
    return ParseFault::kNone;
  }

  // "GET /a?b HTTP/1.1"; anything else, and there is everything in requests, has no parts.
  ParseFault split_request() {
    static constexpr std::string_view kProtocol = "HTTP/";
    const auto part = [](const char* from, const char* to) {
      return std::string_view(from, static_cast<std::size_t>(to - from));
    };
    const char* const begin = request_.data();
    const char* const end = begin + request_.size();
    const char* const first = request_.empty() ? end : find_char(begin, end, ' ');
    const char* const last = first < end ? find_last_char(begin, end, ' ') : end;
    if (last <= first || first == begin || first - begin > 32 ||
        !part(last + 1, end).starts_with(kProtocol)) {
      for (FixedRow::Field* const field : parts_) set(field, ValueKind::kMissing, Slot::null());
      return ParseFault::kNone;
    }
    const std::array<std::string_view, 3> parts = {part(begin, first), part(first + 1, last),
                                                   part(last + 1, end)};
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (escaped_) {
        const ParseFault fault = set_text(parts_[i], parts[i]);
        if (fault != ParseFault::kNone) return fault;
      } else {
        set(parts_[i], ValueKind::kString, Slot::of(ref(parts[i])));
      }
    }
    return ParseFault::kNone;
  }

  // False when it is none.
  bool take_time(Meaning meaning, std::string_view text) {
    std::optional<std::int64_t> ns;
    if (meaning == Meaning::kLocalTime) ns = parse_local_time(text);
    if (meaning == Meaning::kIsoTime) ns = parse_rfc3339(text);
    if (meaning == Meaning::kEpoch) ns = parse_epoch(text);
    if (!ns) return false;
    last_time_ = *ns;
    const bool fits = text.size() <= last_time_text_.size();
    last_time_meaning_ = fits ? meaning : Meaning::kText;
    last_time_bytes_ = fits ? text.size() : 0;
    std::memcpy(last_time_text_.data(), text.data(), last_time_bytes_);
    time_kind_ = ValueKind::kTimestamp;
    return true;
  }
  // Whether the text of the last time stands there: lines that follow each other often have the same second.
  // REQUIRES: there is one.
  bool is_last_time(const char* at) const {
#if defined(__SSE2__)
    const auto equal = [&](std::size_t from) {
      const auto load = [from](const char* text) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + from));
      };
      return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(load(at), load(last_time_text_.data()))));
    };
    return std::countr_one(std::uint64_t{equal(0) | equal(16) << 16}) >= static_cast<int>(last_time_bytes_);
#else
    return std::memcmp(at, last_time_text_.data(), last_time_bytes_) == 0;
#endif
  }

  const std::string begin_;
  std::vector<Step> steps_;
  // The fields that are wanted: whose they are.
  struct Output {
    std::string name;
    FixedRow::Field** field;
  };
  std::vector<Output> outputs_;
  std::array<FixedRow::Field*, 3> parts_{};
  FixedRow::Field* timestamp_ = nullptr;
  bool split_ = false;  // a part of the request is wanted
  Columns* columns_ = nullptr;
  FixedRow row_;
  const char* plain_begin_ = nullptr;  // there is no backslash from here
  const char* plain_end_ = nullptr;    // to here
  // The line.
  std::string_view line_;
  std::uint32_t line_at_ = 0;
  bool escaped_ = false;  // it has a backslash
  ValueKind time_kind_ = ValueKind::kMissing;
  std::string_view request_;
  // The last time that was read.
  std::array<char, 32> last_time_text_{};
  std::size_t last_time_bytes_ = 0;
  Meaning last_time_meaning_ = Meaning::kText;  // kText: there is none
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
