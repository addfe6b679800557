#include "parse/time_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <utility>

#include "base/characters.h"
#include "base/civil_time.h"

namespace logflume {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

constexpr std::array<std::string_view, 12> kMonths = {"january",   "february", "march",    "april",
                                                      "may",       "june",     "july",     "august",
                                                      "september", "october",  "november", "december"};
constexpr std::array<std::string_view, 7> kDays = {"sunday",   "monday", "tuesday", "wednesday",
                                                   "thursday", "friday", "saturday"};

// At most `digits` digits.
bool take_number(std::string_view& text, std::size_t digits, int& value) {
  std::size_t taken = 0;
  value = 0;
  for (; taken < digits && taken < text.size() && is_digit(text[taken]); ++taken)
    value = value * 10 + (text[taken] - '0');
  text.remove_prefix(taken);
  return taken > 0;
}
// A number of exactly so many digits.
bool take_digits(std::string_view& text, std::size_t digits, int& value) {
  const std::size_t before = text.size();
  return take_number(text, digits, value) && before - text.size() == digits;
}

// A name, in full or its first three letters.
template <std::size_t kCount>
bool take_name(std::string_view& text, const std::array<std::string_view, kCount>& names, int& index) {
  const auto begins = [&](std::string_view name) {
    if (text.size() < name.size()) return false;
    for (std::size_t i = 0; i < name.size(); ++i) {
      if (lower(text[i]) != name[i]) return false;
    }
    return true;
  };
  for (std::size_t i = 0; i < kCount; ++i) {
    const std::size_t taken = begins(names[i]) ? names[i].size() : begins(names[i].substr(0, 3)) ? 3 : 0;
    if (taken == 0) continue;
    index = static_cast<int>(i);
    text.remove_prefix(taken);
    return true;
  }
  return false;
}

bool take_offset(std::string_view& text, int& minutes) {
  std::size_t end = 0;
  while (end < text.size() && end < 6 &&
         (is_digit(text[end]) || text[end] == ':' || (end == 0 && (text[0] == '+' || text[0] == '-'))))
    ++end;
  if (end == 0) end = text.starts_with("UTC") || text.starts_with("GMT") ? 3 : 1;
  const auto offset = parse_utc_offset(text.substr(0, end));
  if (!offset) return false;
  minutes = *offset;
  text.remove_prefix(std::min(end, text.size()));
  return true;
}

std::optional<std::int64_t> parse_epoch(std::string_view text, std::int64_t unit_ns) {
  const bool minus = text.starts_with('-');
  if (minus) text.remove_prefix(1);
  std::int64_t whole = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
  if (error != std::errc() || text.empty() || !is_digit(text[0])) return std::nullopt;
  if (unit_ns == 0) {  // seconds are below 10^11 until the year 5138, milliseconds are above it since 1973
    unit_ns = kSecond;
    for (std::uint64_t limit = 100'000'000'000; unit_ns > 1 && static_cast<std::uint64_t>(whole) >= limit;
         limit *= 1000)
      unit_ns /= 1000;
  }
  std::string_view fraction = text.substr(static_cast<std::size_t>(end - text.data()));
  std::int64_t part = 0;
  if (!fraction.empty()) {
    if (fraction.size() < 2 || fraction[0] != '.') return std::nullopt;
    std::int64_t scale = unit_ns;
    for (const char c : fraction.substr(1)) {
      if (!is_digit(c)) return std::nullopt;
      scale /= 10;
      part += (c - '0') * scale;
    }
  }
  std::int64_t ns = 0;
  if (__builtin_mul_overflow(whole, unit_ns, &ns) || __builtin_add_overflow(ns, part, &ns))
    return std::nullopt;
  return minus ? -ns : ns;
}

}  // namespace

Result<TimeFormat> TimeFormat::compile(std::string_view format, int offset_minutes) {
  static constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> kEpochs = {
      {{"epoch", 0}, {"epoch_s", kSecond}, {"epoch_ms", 1'000'000}, {"epoch_us", 1'000}, {"epoch_ns", 1}}};
  TimeFormat made;
  made.offset_minutes_ = offset_minutes;
  if (format == "rfc3339") {
    made.way_ = Way::kRfc3339;
    return made;
  }
  for (const auto& [name, unit] : kEpochs) {
    if (format != name) continue;
    made.way_ = Way::kEpoch;
    made.epoch_unit_ns_ = unit;
    return made;
  }
  static constexpr std::array<std::pair<char, std::string_view>, 4> kShort = {
      {{'T', "%H:%M:%S"}, {'F', "%Y-%m-%d"}, {'D', "%m/%d/%y"}, {'R', "%H:%M"}}};
  std::string expanded;
  for (std::size_t i = 0; i < format.size(); ++i) {
    const auto* const found = format[i] != '%' || i + 1 == format.size()
                                  ? kShort.end()
                                  : std::find_if(kShort.begin(), kShort.end(), [&](const auto& pair) {
                                      return pair.first == format[i + 1];
                                    });
    if (found == kShort.end()) {
      expanded.push_back(format[i]);
      if (format[i] == '%' && i + 1 < format.size()) expanded.push_back(format[++i]);
    } else {
      expanded += found->second;
      ++i;
    }
  }
  for (std::size_t i = 0; i < expanded.size(); ++i) {
    const char c = expanded[i];
    if (c != '%') {
      made.steps_.push_back(is_blank(c) ? Step{' ', 0} : Step{0, c});
      continue;
    }
    const char conversion = ++i < expanded.size() ? expanded[i] : '\0';
    constexpr std::string_view kKnown = "YymdejbBhaAHIpMSfzsnt%";
    if (conversion == '\0' || kKnown.find(conversion) == std::string_view::npos)
      return Error{Errc::kInvalidArgument, 0, fmt::format("%{} is no conversion that is known", conversion)};
    Step step{conversion, 0};
    if (conversion == '%') step = {0, '%'};
    if (conversion == 'n' || conversion == 't') step = {' ', 0};
    if (conversion == 'B' || conversion == 'h') step.conversion = 'b';
    if (conversion == 'A') step.conversion = 'a';
    made.steps_.push_back(step);
    made.has_year_ = made.has_year_ || conversion == 'Y' || conversion == 'y' || conversion == 's';
  }
  if (made.steps_.empty()) return Error{Errc::kInvalidArgument, 0, "an empty format"};
  return made;
}

std::optional<std::int64_t> TimeFormat::parse(std::string_view text, std::int64_t now_ns) const {
  switch (way_) {
    case Way::kRfc3339:
      return parse_rfc3339(text);
    case Way::kEpoch:
      return parse_epoch(text, epoch_unit_ns_);
    case Way::kConversions:
      break;
  }
  return parse_conversions(text, now_ns);
}

std::optional<std::int64_t> TimeFormat::parse_conversions(std::string_view text, std::int64_t now_ns) const {
  CivilTime time;
  int offset = offset_minutes_, ignored = 0, day_of_year = 0, twelve = -1;
  bool afternoon = false;
  std::optional<std::int64_t> epoch;
  for (const Step& step : steps_) {
    bool fits = true;
    switch (step.conversion) {
      case 0:
        fits = text.starts_with(step.literal);
        if (fits) text.remove_prefix(1);
        break;
      case ' ':
        while (!text.empty() && is_blank(text[0])) text.remove_prefix(1);
        break;
      case 'Y':
        fits = take_digits(text, 4, time.year);
        break;
      case 'y':
        fits = take_digits(text, 2, time.year);
        time.year += time.year < 69 ? 2000 : 1900;  // as POSIX has it
        break;
      case 'm':
        fits = take_number(text, 2, time.month);
        break;
      case 'd':
      case 'e':
        if (text.starts_with(' ')) text.remove_prefix(1);
        fits = take_number(text, 2, time.day);
        break;
      case 'j':
        fits = take_digits(text, 3, day_of_year) && day_of_year > 0;
        break;
      case 'b':
        fits = take_name(text, kMonths, time.month);
        ++time.month;
        break;
      case 'a':
        fits = take_name(text, kDays, ignored);
        break;
      case 'H':
        fits = take_number(text, 2, time.hour);
        break;
      case 'I':
        fits = take_number(text, 2, twelve) && twelve >= 1 && twelve <= 12;
        break;
      case 'p':
        fits = text.size() >= 2 && (lower(text[0]) == 'a' || lower(text[0]) == 'p') && lower(text[1]) == 'm';
        if (fits) afternoon = lower(text[0]) == 'p';
        if (fits) text.remove_prefix(2);
        break;
      case 'M':
        fits = take_number(text, 2, time.minute);
        break;
      case 'S':
        fits = take_number(text, 2, time.second);
        break;
      case 'f': {
        const std::size_t before = text.size();
        fits = take_number(text, 9, time.nanosecond);
        for (std::size_t digits = before - text.size(); digits < 9; ++digits) time.nanosecond *= 10;
        break;
      }
      case 'z':
        fits = take_offset(text, offset);
        break;
      case 's': {
        const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
        epoch = parse_epoch(text.substr(0, end), kSecond);
        fits = epoch.has_value();
        text.remove_prefix(end);
        break;
      }
      default:
        return std::nullopt;
    }
    if (!fits) return std::nullopt;
  }
  if (!text.empty()) return std::nullopt;
  if (epoch) return *epoch + time.nanosecond;
  if (twelve >= 0) time.hour = twelve % 12 + (afternoon ? 12 : 0);
  const auto in_year = [&](int year) -> std::optional<std::int64_t> {
    time.year = year;
    if (day_of_year == 0) return from_civil_time(time, offset);
    CivilTime first = time;
    first.month = first.day = 1;
    const auto begin = from_civil_time(first, offset);
    const int days = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 366 : 365;
    if (!begin || day_of_year > days) return std::nullopt;
    return *begin + (day_of_year - 1) * 86'400 * kSecond;
  };
  if (has_year_) return in_year(time.year);
  std::optional<std::int64_t> nearest;
  const int this_year = civil_time(now_ns, offset).year;
  for (int year = this_year - 1; year <= this_year + 1; ++year) {
    const auto candidate = in_year(year);
    if (candidate && (!nearest || std::llabs(*candidate - now_ns) < std::llabs(*nearest - now_ns)))
      nearest = candidate;
  }
  return nearest;
}

}  // namespace logflume
