// The agent as the command line starts it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config.h"

namespace logflume {

struct AgentOptions {
  std::vector<std::string> config_paths;  // read at the start and again at SIGHUP ...
  std::optional<Config> config;           // ... unless the configuration is given here
  bool until_eof = false;                 // stop once everything there is has been delivered
};

// Runs until it is stopped by a signal or, with `until_eof`, done. Returns the exit code (cli/exit_codes.h).
int run_agent(AgentOptions options);

}  // namespace logflume
