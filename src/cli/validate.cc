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
  const std::string transforms =
      config->transforms.empty() ? "" : counted(config->transforms.size(), "transform") + ", ";
  fmt::print("configuration is valid: {}, {}{}\n", counted(config->sources.size(), "source"), transforms,
             counted(config->sinks.size(), "sink"));
  return kExitOk;
}

}  // namespace

void add_validate_command(CLI::App& app, Command& chosen) {
  CLI::App* command =
      app.add_subcommand("validate", "Check a configuration and say what is wrong with it, and where");
  const auto paths = std::make_shared<std::vector<std::string>>();
  const auto more = std::make_shared<std::vector<std::string>>();
  CLI::Option* files = command->add_option("files", *paths, "Configuration files, or directories of *.yaml")
                           ->type_name("FILE");
  CLI::Option* config =
      command->add_option("-c,--config", *more, "The same, as `run` takes them")->type_name("FILE");
  command->callback([paths, more, files, config, &chosen] {
    if (files->count() + config->count() == 0) throw CLI::RequiredError("FILE");
    paths->insert(paths->end(), more->begin(), more->end());
    chosen = [paths] { return validate(*paths); };
  });
}

}  // namespace logflume
