// Access logs by their format: nginx's log_format, Apache's LogFormat. The format becomes a scanner: what
// stands between two variables is searched for, nothing is tried twice.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "parse/parser.h"

namespace logflume {

struct LogFormatConfig {
  // "common", "combined", or a format.
  std::string format = "combined";
  WantedFields wanted;
};

// nginx: a variable is "$name" or "${name}"; a variable reaches up to the text that follows it in the format.
// Fields have the variables' names; `request` gives `method`, `path` and `protocol` too; counts are numbers,
// and so are times where there is just one; "-" is null. What nginx escapes (\xHH) is undone. The time of the
// line (time_local, time_iso8601, msec) becomes `timestamp`. Errors: kInvalidArgument: two variables with
// nothing between them, or none at all.
Result<std::unique_ptr<Parser>> make_nginx_parser(const LogFormatConfig& config);

// Apache: "%h", "%>s", "%{Referer}i". Fields have the names that nginx has for the same thing
// (docs/parsers.md). Errors: the same, and directives that are not known.
Result<std::unique_ptr<Parser>> make_apache_parser(const LogFormatConfig& config);

}  // namespace logflume
