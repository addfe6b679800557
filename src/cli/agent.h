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
  bool watch_config = false;              // read them again when they change on disk
  bool until_eof = false;                 // stop once everything there is has been delivered
  // data_dir goes with this run.
  bool temporary = false;
};

// Runs until it is stopped by a signal or, with `until_eof`, done. Where the configuration is given there is
// nothing to reload: SIGHUP stops it as SIGTERM does, and a reader that leaves ends it without an error.
// Returns the exit code (cli/exit_codes.h).
int run_agent(AgentOptions options);

}  // namespace logflume
