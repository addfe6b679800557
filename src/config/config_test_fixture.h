// Configurations from text, and what was said about them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "config/load.h"

namespace logflume {

inline LoadedConfig load_text(std::string text, std::map<std::string, std::string> variables = {}) {
  return load_config_texts({{"f.yaml", std::move(text)}}, Environment(std::move(variables)),
                           {.check_paths = false});
}

// "LINE:COLUMN: message [expected ...] [hint]" of each diagnostic.
inline std::vector<std::string> said(const LoadedConfig& loaded) {
  std::vector<std::string> out;
  for (const Diagnostic& one : loaded.diagnostics) {
    std::string text = std::to_string(one.line) + ":" + std::to_string(one.column) + ": " +
                       (one.severity == Severity::kWarning ? "warning: " : "") + one.message;
    if (!one.expected.empty()) text += " [" + one.expected + "]";
    if (!one.hint.empty()) text += " [" + one.hint + "]";
    out.push_back(std::move(text));
  }
  return out;
}

// A good configuration. `source` stands in line 5, `sink` in line 10, both from column 5.
inline std::string with(std::string source = "", std::string sink = "", std::string type = "blackhole") {
  return "sources:\n"
         "  app:\n"
         "    type: file\n"
         "    include: [/logs/*.log]\n"
         "    " +
         source +
         "\n"
         "sinks:\n"
         "  out:\n"
         "    type: " +
         type +
         "\n"
         "    inputs: [app]\n"
         "    " +
         sink + "\n";
}

}  // namespace logflume
