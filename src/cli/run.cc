#include <CLI/CLI.hpp>
#include <memory>

#include "cli/agent.h"
#include "cli/commands.h"

namespace logflume {

void add_run_command(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand("run", "Collect logs as the configuration says, until stopped");
  const auto options = std::make_shared<AgentOptions>();
  command->add_option("-c,--config", options->config_paths, "Configuration files, or directories of *.yaml")
      ->required()
      ->type_name("FILE");
  command->add_flag("--until-eof", options->until_eof,
                    "Stop once every file has been read to its end and acknowledged");
  command->add_flag("--watch-config", options->watch_config, "Reload when the configuration changes on disk");
  command->callback([options, &chosen] { chosen = [options] { return run_agent(*options); }; });
}

}  // namespace logflume
