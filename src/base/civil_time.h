// Points in time as text and as parts of the calendar (proleptic Gregorian, UTC with an offset).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace logflume {

// Nanoseconds since 1970 of an RFC 3339 time: "2026-01-02T03:04:05.678Z", "2026-01-02t03:04:05+01:00"; a
// blank may stand for the T, and a fraction may have up to 9 digits. A leap second (:60) is the first moment
// of the next minute. None for what is none, has no offset, or does not fit (1677 to 2262).
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

// The shortest exact form, in UTC: "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.678Z".
std::string format_rfc3339(std::int64_t ns);

// A length of time in seconds, as CEL writes it: "5400s", "0.25s", "-1s".
std::string format_seconds(std::int64_t ns);

// Minutes east of UTC: "UTC", "Z", "+01:00", "-0330", "+05". None for what is none; names of places are not
// known.
std::optional<int> parse_utc_offset(std::string_view text);

struct CivilTime {
  int year = 1970;
  int month = 1;  // 1 to 12
  int day = 1;    // 1 to 31
  int hour = 0;
  int minute = 0;
  int second = 0;
  int nanosecond = 0;
  int weekday = 4;      // 0: Sunday
  int day_of_year = 0;  // 0 to 365
};
CivilTime civil_time(std::int64_t ns, int offset_minutes = 0);
// None where the date is not in the calendar or does not fit. `weekday` and `day_of_year` are not looked at.
std::optional<std::int64_t> from_civil_time(const CivilTime& time, int offset_minutes = 0);

}  // namespace logflume
