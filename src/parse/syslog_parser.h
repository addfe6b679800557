// Syslog lines: RFC 5424, and RFC 3164 with its usual deviations.
#pragma once

#include <memory>

#include "parse/parser.h"

namespace logflume {

struct SyslogParserConfig {
  // Of times without an offset (RFC 3164 has none), minutes east of UTC: the machine is not asked.
  int offset_minutes = 0;
  WantedFields wanted;
};

// Fields: facility and severity (by name, when there is a priority), timestamp, hostname, appname, procid,
// msgid, message; structured_data of RFC 5424 as an object of objects. What is "-" there is null.
//
// Deviations of RFC 3164 that are taken: no priority, an RFC 3339 time, a year behind the day, no host, no
// tag. A line without a time is not accepted.
std::unique_ptr<Parser> make_syslog_parser(SyslogParserConfig config);

}  // namespace logflume
