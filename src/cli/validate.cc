#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/config_files.h"
#include "cli/exit_codes.h"

namespace logflume {
namespace {

int validate(const std::vector<std::string>& paths) {
  const std::optional<Config> config = load_config_or_explain(paths);
  if (!config) return kExitConfiguration;
  const auto counted = [](std::size_t count, const char* noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
  };
  fmt::print("configuration is valid: {}, {}\n", counted(config->sources.size(), "source"),
             counted(config->sinks.size(), "sink"));
  return kExitOk;
}

}  // namespace

void add_validate_command(CLI::App& app, Command& chosen) {
  CLI::App* command =
      app.add_subcommand("validate", "Check a configuration and say what is wrong with it, and where");
  const auto paths = std::make_shared<std::vector<std::string>>();
  command->add_option("files,-c,--config", *paths, "Configuration files, or directories of *.yaml")
      ->required()
      ->type_name("FILE");
  command->callback([paths, &chosen] { chosen = [paths] { return validate(*paths); }; });
}

}  // namespace logflume
