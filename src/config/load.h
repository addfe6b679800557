// From configuration files to a Config, or to everything that is wrong with them.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/bind.h"
#include "config/config.h"
#include "config/diagnostic.h"
#include "config/environment.h"

namespace logflume {

struct LoadedConfig {
  std::optional<Config> config;         // absent when a diagnostic is an error
  std::vector<Diagnostic> diagnostics;  // warnings too; in the order of files and lines
};

using LoadOptions = BindOptions;

// Reads files, and of directories every *.yaml and *.yml in the order of their names, as one configuration:
// what is defined twice is an error that names both places. Reports all that is wrong with all files. Creates
// nothing. Blocks on the disk; bounded in time and memory whatever the files hold.
LoadedConfig load_config(const std::vector<std::string>& paths, const Environment& environment,
                         LoadOptions options = {});

// The same from memory: (name, text) pairs.
LoadedConfig load_config_texts(std::vector<std::pair<std::string, std::string>> files,
                               const Environment& environment, LoadOptions options = {});

// The shortest YAML that loads as `config`: what differs from the defaults, `$` escaped.
std::string to_yaml(const Config& config);

// The JSON Schema (2020-12) of a configuration file.
std::string json_schema();

// docs/configuration.md.
std::string configuration_markdown();

}  // namespace logflume
