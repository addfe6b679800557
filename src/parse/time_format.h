// Times as logs write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace logflume {

// A format, compiled: "rfc3339"; "epoch_s", "epoch_ms", "epoch_us", "epoch_ns", and "epoch", which tells the
// unit by the size; or of strptime's conversions
//   %Y %y %m %d %e %j %b %B %h %a %A %H %I %p %M %S %f (a fraction, 1 to 9 digits) %z %T %F %D %R %s %n %t %%
// where a blank takes any number of blanks. What a format does not have is that of 1970-01-01, but for the
// year: a format without one (syslog, klog) takes that which makes the time nearest to now. Times without an
// offset are those of `offset_minutes`; the machine's time zone is never asked.
//
// Threads: any.
class TimeFormat {
 public:
  // Errors: kInvalidArgument: a conversion that is not known.
  static Result<TimeFormat> compile(std::string_view format, int offset_minutes = 0);

  // Nanoseconds since 1970; the whole text must fit. `now_ns`: for a format without a year.
  std::optional<std::int64_t> parse(std::string_view text, std::int64_t now_ns) const;

 private:
  enum class Way { kRfc3339, kEpoch, kConversions };
  struct Step {
    char conversion = 0;  // 0: `literal`; ' ': blanks
    char literal = 0;
  };
  TimeFormat() = default;
  std::optional<std::int64_t> parse_conversions(std::string_view text, std::int64_t now_ns) const;

  Way way_ = Way::kConversions;
  std::int64_t epoch_unit_ns_ = 0;  // 0: by the size
  std::vector<Step> steps_;
  bool has_year_ = false;
  int offset_minutes_ = 0;
};

}  // namespace logflume
