// The formats that a log may have, each with the parser that says whether a line is one of it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detect/sample.h"
#include "detect/trial.h"
#include "multiline/multiline_config.h"
#include "parse/parser.h"

namespace logflume {

struct LogFormat {
  std::string name;       // for people: "nginx combined"
  std::string transform;  // of the configuration: "parse_nginx"
  // What the transform must be told, as YAML.
  std::vector<std::pair<std::string, std::string>> options;
  std::function<std::unique_ptr<Parser>()> make;
  IsOne is_one = nullptr;
  bool takes_types = false;    // fields are strings unless the transform is told types
  bool heads_events = false;   // lines that are not of it may belong to the event before them
  bool holds_message = false;  // `message` may have a format of its own
  // Its lines are parts of a container's, as the source's `multiline` knows them.
  MultilineInside wraps = MultilineInside::kNothing;
  std::size_t lines_skipped = 0;  // a header
};

// In an order in which a format that says more comes before one that says less. Those of pairs and of values
// are made for the sample. `path`: whose it is, for what lines do not tell.
std::vector<LogFormat> log_formats(const LogSample& sample, std::string_view path);

// What programs write by their usual settings, as expressions of grok.
struct LineFormat {
  std::string_view name;
  std::string_view pattern;
  bool says_little = false;  // a time and a text
};
std::vector<LineFormat> line_formats();

// A text in single quotes, for what has many backslashes.
std::string yaml_pattern(std::string_view pattern);

}  // namespace logflume
