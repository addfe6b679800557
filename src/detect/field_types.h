// What the fields of a sample are.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "detect/trial.h"

namespace logflume {

struct DetectedField {
  std::string name;
  std::string type;        // string, int, double, bool, timestamp, object; "null" when it never has a value
  std::string sample;      // its first value
  std::size_t events = 0;  // that have it
  bool made = false;       // the type is one that the transform must be told
};

// Of the rows that were accepted, by what each value is; texts are what they all can be read as.
std::vector<DetectedField> detect_fields(const Trial& trial);

// The field that is the time of events, and how it is written (parse/time_format.h); none when a field is of
// that type already.
struct DetectedTime {
  std::string field;
  std::string format;
};
std::optional<DetectedTime> detect_time(const Trial& trial, const std::vector<DetectedField>& fields,
                                        std::int64_t now_ns);

}  // namespace logflume
