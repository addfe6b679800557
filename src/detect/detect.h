// Which format a log has, and the configuration for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detect/field_types.h"

namespace logflume {

struct DetectOptions {
  std::string path = "/var/log/app.log";  // whose lines they are: absolute
  std::int64_t now_ns = 0;                // for times without a year
};

// A transform of the configuration, with what it must be told as YAML.
struct DetectedTransform {
  std::string type;
  std::vector<std::pair<std::string, std::string>> options;
};

struct DetectedFormat {
  std::string name;        // "nginx combined", "plain text"
  std::size_t lines = 0;   // that were looked at, empty ones left out
  std::size_t events = 0;  // fewer than lines where some belong together
  double share = 0;        // of the events, how many the parser accepts: 0 for plain text
  // Formats beside it that accept more than a tenth, best first.
  std::vector<std::pair<std::string, double>> others;
  std::vector<DetectedField> fields;
  // None for plain text; a second one for what stands in the message of the first.
  std::vector<DetectedTransform> transforms;
  std::string preset;         // of `multiline`; empty: none
  std::string inside;         // the same, beside the preset
  std::string start_pattern;  // the same, where no preset knows these events
  bool strip_cr = false;      // every line ends in \r\n
  std::string config;         // for this file: a source, the transforms and a sink that prints
};

// The first lines of a log (detect/sample.h says how many) are given to every parser that there is. Blocks
// for as long as that takes: some 10 to 200 ms.
DetectedFormat detect_format(std::string_view text, const DetectOptions& options);

}  // namespace logflume
