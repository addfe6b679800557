#include "base/civil_time.h"

#include <fmt/format.h>

#include <chrono>
#include <iterator>

#include "base/characters.h"

namespace logflume {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kDay = 86'400 * kSecond;

// Takes `digits` digits from the front of `text`.
bool take_number(std::string_view& text, std::size_t digits, int& value) {
  if (text.size() < digits) return false;
  value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (!is_digit(text[i])) return false;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return true;
}
bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text[0]) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::string format_seconds(std::int64_t ns) {
  const bool minus = ns < 0;
  const std::uint64_t magnitude = minus ? 0 - static_cast<std::uint64_t>(ns) : static_cast<std::uint64_t>(ns);
  std::string out = fmt::format("{}{}", minus ? "-" : "", magnitude / 1'000'000'000);
  if (magnitude % 1'000'000'000 != 0) {
    fmt::format_to(std::back_inserter(out), ".{:09}", magnitude % 1'000'000'000);
    out.resize(out.find_last_not_of('0') + 1);
  }
  out.push_back('s');
  return out;
}

std::optional<int> parse_utc_offset(std::string_view text) {
  if (text == "UTC" || text == "GMT" || text == "Z" || text == "z") return 0;
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const int sign = text[0] == '-' ? -1 : 1;
  text.remove_prefix(1);
  int hours = 0, minutes = 0;
  if (!take_number(text, 2, hours)) return std::nullopt;
  if (!text.empty()) {
    take(text, ":");
    if (!take_number(text, 2, minutes)) return std::nullopt;
  }
  if (!text.empty() || hours > 23 || minutes > 59) return std::nullopt;
  return sign * (hours * 60 + minutes);
}

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  CivilTime time;
  if (!take_number(text, 4, time.year) || !take(text, "-") || !take_number(text, 2, time.month) ||
      !take(text, "-") || !take_number(text, 2, time.day) || !take(text, "Tt ") ||
      !take_number(text, 2, time.hour) || !take(text, ":") || !take_number(text, 2, time.minute) ||
      !take(text, ":") || !take_number(text, 2, time.second))
    return std::nullopt;
  if (take(text, ".,")) {
    int scale = 100'000'000;
    std::size_t digits = 0;
    for (; digits < text.size() && is_digit(text[digits]); ++digits, scale /= 10) {
      if (digits == 9) return std::nullopt;
      time.nanosecond += (text[digits] - '0') * scale;
    }
    if (digits == 0) return std::nullopt;
    text.remove_prefix(digits);
  }
  if (text.empty() || text == "UTC" || text == "GMT") return std::nullopt;  // not of RFC 3339
  const auto offset = parse_utc_offset(text);
  return offset ? from_civil_time(time, *offset) : std::nullopt;
}

std::optional<std::int64_t> from_civil_time(const CivilTime& time, int offset_minutes) {
  const std::chrono::year_month_day date{std::chrono::year(time.year),
                                         std::chrono::month(static_cast<unsigned>(time.month)),
                                         std::chrono::day(static_cast<unsigned>(time.day))};
  if (!date.ok() || time.hour < 0 || time.hour > 23 || time.minute < 0 || time.minute > 59 ||
      time.second < 0 || time.second > 60 || time.nanosecond < 0 || time.nanosecond >= kSecond)
    return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const std::int64_t seconds =
      days * 86'400 + time.hour * 3'600 + (time.minute - offset_minutes) * 60 + time.second;
  std::int64_t ns = 0;
  // The nanoseconds are added to what may be a little below the smallest that fits.
  const bool early = seconds < 0 && time.nanosecond > 0;
  if (__builtin_mul_overflow(seconds + (early ? 1 : 0), kSecond, &ns)) return std::nullopt;
  if (__builtin_add_overflow(ns, time.nanosecond - (early ? kSecond : 0), &ns)) return std::nullopt;
  return ns;
}

CivilTime civil_time(std::int64_t ns, int offset_minutes) {
  std::int64_t days = ns / kDay;
  std::int64_t in_day = ns % kDay + std::int64_t{offset_minutes} * 60 * kSecond;
  while (in_day < 0) {
    in_day += kDay;
    --days;
  }
  while (in_day >= kDay) {
    in_day -= kDay;
    ++days;
  }
  const std::chrono::sys_days day{std::chrono::days(days)};
  const std::chrono::year_month_day date(day);
  CivilTime time;
  time.year = static_cast<int>(date.year());
  time.month = static_cast<int>(static_cast<unsigned>(date.month()));
  time.day = static_cast<int>(static_cast<unsigned>(date.day()));
  time.weekday = static_cast<int>(std::chrono::weekday(day).c_encoding());
  time.day_of_year =
      static_cast<int>((day - std::chrono::sys_days(date.year() / std::chrono::January / 1)).count());
  const std::int64_t seconds = in_day / kSecond;
  time.hour = static_cast<int>(seconds / 3'600);
  time.minute = static_cast<int>(seconds / 60 % 60);
  time.second = static_cast<int>(seconds % 60);
  time.nanosecond = static_cast<int>(in_day % kSecond);
  return time;
}

std::string format_rfc3339(std::int64_t ns) {
  const CivilTime time = civil_time(ns);
  std::string out = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", time.year, time.month, time.day,
                                time.hour, time.minute, time.second);
  if (time.nanosecond != 0) {
    fmt::format_to(std::back_inserter(out), ".{:09}", time.nanosecond);
    out.resize(out.find_last_not_of('0') + 1);
  }
  out.push_back('Z');
  return out;
}

}  // namespace logflume
