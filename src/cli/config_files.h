// Loading configuration for subcommands.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config.h"

namespace logflume {

// Loads, and prints every diagnostic to stderr, coloured on a terminal. Nothing when there is an error: the
// exit code is kExitConfiguration then.
std::optional<Config> load_config_or_explain(const std::vector<std::string>& paths);

// `given`, or else data_dir of the files, or of a configuration that is empty. Nothing: as above.
std::optional<std::string> data_dir_or_explain(const std::string& given,
                                               const std::vector<std::string>& config_paths);

}  // namespace logflume
