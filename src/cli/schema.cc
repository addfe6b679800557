#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "config/load.h"
#include "expression/functions.h"

namespace logflume {

void add_schema_command(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand("schema", "Print the JSON Schema of the configuration");
  const auto markdown = std::make_shared<bool>(false);
  command->add_flag("--markdown", *markdown, "Print the reference of the configuration instead, as Markdown");
  const auto expressions = std::make_shared<bool>(false);
  command->add_flag("--expressions", *expressions, "Print the reference of expressions instead, as Markdown");
  command->callback([markdown, expressions, &chosen] {
    chosen = [markdown, expressions] {
      fmt::print("{}", *expressions ? expressions_markdown()
                       : *markdown  ? configuration_markdown()
                                    : json_schema());
      return kExitOk;
    };
  });
}

}  // namespace logflume
