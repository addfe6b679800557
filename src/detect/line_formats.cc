#include "detect/formats.h"

namespace logflume {
namespace {

// The message takes all lines of its event.
#define LOGFLUME_MESSAGE R"((?<message>(?s:.*)))"
#define LOGFLUME_TIME R"(%{TIMESTAMP_ISO8601:timestamp})"
#define LOGFLUME_LEVEL R"(%{LOGLEVEL:level}\b)"

constexpr LineFormat kFormats[] = {
    {"Spring Boot", "^" LOGFLUME_TIME R"( +)" LOGFLUME_LEVEL
                    R"( +(?<pid>\d+) --- (?:\[(?<application>[^\]]*)\] )?\[ *(?<thread>[^\]]*)\] +)"
                    R"((?<logger>\S+) *: )" LOGFLUME_MESSAGE},
    {"log4j, logback", "^" LOGFLUME_TIME R"( +)" LOGFLUME_LEVEL
                       R"( +[\[(](?<thread>[^\])]*)[\])] +(?<logger>[\w.$/-]+) *[-:] +)" LOGFLUME_MESSAGE},
    {"logback", R"(^(?<timestamp>%{TIMESTAMP_ISO8601}|%{TIME}) +\[(?<thread>[^\]]*)\] +)" LOGFLUME_LEVEL
                R"( +(?<logger>[\w.$/-]+) *[-:] +)" LOGFLUME_MESSAGE},
    {"Python logging", "^" LOGFLUME_TIME R"( - (?<logger>[\w.-]+) - )" LOGFLUME_LEVEL " - " LOGFLUME_MESSAGE},
    {"Python logging, basic", R"(^%{LOGLEVEL:level}:(?<logger>[\w.-]+):)" LOGFLUME_MESSAGE},
    {"PostgreSQL", "^" LOGFLUME_TIME R"( (?<time_zone>[A-Z]+) \[(?<pid>\d+)\] )"
                   R"((?:(?<user>[^@ ]*)@(?<database>\S*) )?(?<level>[A-Z]+\d?): +)" LOGFLUME_MESSAGE},
    {"MySQL", "^" LOGFLUME_TIME R"( (?<thread>\d+) \[(?<level>\w+)\] (?:\[(?<code>[^\]]*)\] )?)"
              R"((?:\[(?<subsystem>[^\]]*)\] )?)" LOGFLUME_MESSAGE},
    {"nginx error log", R"(^(?<timestamp>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?<level>\w+)\] )"
                        R"((?<pid>\d+)#(?<tid>\d+): (?:\*(?<connection>\d+) )?)" LOGFLUME_MESSAGE},
    {"Apache error log", R"(^\[%{HTTPDERROR_DATE:timestamp}\] \[(?:(?<module>[\w-]*):)?)" LOGFLUME_LEVEL
                         R"(\] (?:\[pid (?<pid>\d+)(?::tid (?<tid>\d+))?\] )?)"
                         R"((?:\[client (?<client>[^\]]+)\] )?)" LOGFLUME_MESSAGE},
    {"Redis",
     R"(^(?<pid>\d+):(?<role>[XCSM]) (?<timestamp>\d\d? \w{3} \d{4} [\d:.]+) (?<level>[.*#-]) )" LOGFLUME_MESSAGE},
    {"Elasticsearch", R"(^\[)" LOGFLUME_TIME R"(\]\[(?<level>\w+) *\]\[(?<logger>[^\]]+?) *\] )"
                      R"((?:\[(?<node>[^\]]*)\] ?)?)" LOGFLUME_MESSAGE},
    {"time, level and logger", R"(^\[?)" LOGFLUME_TIME R"(\]? +\[?)" LOGFLUME_LEVEL
                               R"( *\]? +\[?(?<logger>[A-Za-z_][\w.$/-]*)\]?(?:: | - ))" LOGFLUME_MESSAGE},
    {"time and level",
     R"(^\[?)" LOGFLUME_TIME R"(\]?[ :]+\[?)" LOGFLUME_LEVEL R"( *\]?:? *)" LOGFLUME_MESSAGE},
    {"level and time",
     R"(^\[?)" LOGFLUME_LEVEL R"( *\]?:? +\[?)" LOGFLUME_TIME R"(\]?:? +)" LOGFLUME_MESSAGE},
    {"Go log", R"(^(?<timestamp>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)?) )"
               R"((?:(?<file>[\w./-]+\.go):(?<line>\d+): )?)" LOGFLUME_MESSAGE},
    {"time and text", R"(^\[?)" LOGFLUME_TIME R"(\]?:? +)" LOGFLUME_MESSAGE, true},
};

#undef LOGFLUME_MESSAGE
#undef LOGFLUME_TIME
#undef LOGFLUME_LEVEL

}  // namespace

std::vector<LineFormat> line_formats() { return {std::begin(kFormats), std::end(kFormats)}; }

}  // namespace logflume
