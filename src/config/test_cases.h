// `tests:` of a configuration: what its transforms are to make of some lines.
//
//   tests:
//     server errors pass:
//       insert_at: app                     # a source, or a transform
//       input: ['{"level":"ERROR"}']       # lines
//       outputs:
//         bad: {events: ['{"level":"ERROR"}'], count: 1, conditions: ['level == "ERROR"']}
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/document.h"

namespace logflume {

struct TestCase {
  struct Output {
    std::string from;                     // a source, a transform, or an output of one
    std::optional<std::uint64_t> count;   // of events
    std::vector<std::string> events;      // JSON objects, in this order; empty: not looked at
    std::vector<std::string> conditions;  // that each event must meet
    bool operator==(const Output&) const = default;
  };
  std::string name;
  std::string place;  // "logflume.yaml:12:3"
  std::string insert_at;
  std::vector<std::string> input;
  std::vector<Output> outputs;
  bool operator==(const TestCase&) const = default;
};

// Of the map that `tests` is. What is wrong is reported.
std::vector<TestCase> read_test_cases(const YamlNode& tests, Diagnostics& diagnostics);

}  // namespace logflume
