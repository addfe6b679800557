// logflume reload: asks the agent that runs to take its configuration anew, and says what came of it.
#include <fmt/format.h>
#include <simdjson.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "api/control_client.h"
#include "cli/commands.h"
#include "cli/config_files.h"
#include "cli/exit_codes.h"
#include "cli/reload_request.h"

namespace logflume {
namespace {

// Sinks that go have 5 s, peers that are tried 3 s; the rest is opening.
constexpr Duration kPatience = std::chrono::seconds(60);

struct Arguments {
  std::vector<std::string> config_paths;
  std::string data_dir;
  bool dry_run = false;
  bool force = false;
  bool json = false;
};

std::string_view text_of(const simdjson::dom::object& answer, const char* key) {
  std::string_view text;
  return answer[key].get(text) == simdjson::SUCCESS ? text : std::string_view();
}

int reload(Arguments arguments) {
  ReloadRequest request;
  request.dry_run = arguments.dry_run;
  request.force = arguments.force;
  if (!arguments.config_paths.empty()) {
    const std::optional<Config> config = load_config_or_explain(arguments.config_paths);
    if (!config) return kExitConfiguration;
    arguments.data_dir = config->data_dir;
    request.paths = absolute_paths(arguments.config_paths);
  }
  const Result<ControlReply> reply =
      ask_agent(arguments.data_dir, "POST", "/reload", request.json(), kPatience);
  if (!reply) {
    fmt::print(stderr, "logflume reload: {}\n", reply.error().text());
    return kExitFailure;
  }
  simdjson::dom::parser parser;
  simdjson::dom::object answer;
  if (reply->status != 200 || parser.parse(reply->body).get(answer) != simdjson::SUCCESS) {
    fmt::print(stderr, "logflume reload: the agent answers {}: {}\n", reply->status, reply->body);
    return kExitFailure;
  }
  const std::string_view result = text_of(answer, "result");
  if (arguments.json) {
    fmt::print("{}", reply->body);
  } else if (result == "applied" || result == "dry_run") {
    fmt::print("{}", text_of(answer, "text"));
  }
  if (result == "applied" || result == "dry_run") return kExitOk;
  fmt::print(stderr, "{}logflume reload: {}: the old configuration goes on\n", text_of(answer, "diagnostics"),
             text_of(answer, "message"));
  return result == "invalid" ? kExitConfiguration : kExitFailure;
}

}  // namespace

void add_reload_command(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand(
      "reload", "Have the running agent take its configuration anew: only what changed is replaced");
  const auto arguments = std::make_shared<Arguments>();
  CLI::Option* config =
      command
          ->add_option(
              "-c,--config", arguments->config_paths,
              "The files that the agent runs from: data_dir in them tells which agent. With --dry-run, "
              "any files")
          ->type_name("FILE");
  CLI::Option* data_dir =
      command->add_option("--data-dir", arguments->data_dir, "The data_dir of the agent")->type_name("DIR");
  config->excludes(data_dir);
  command->add_flag("--dry-run", arguments->dry_run, "Only say what would change");
  command->add_flag("--force", arguments->force,
                    "Do not ask the peers of new sinks first whether they answer");
  command->add_flag("--json", arguments->json, "The answer as JSON");
  command->callback([arguments, config, data_dir, &chosen] {
    if (config->count() + data_dir->count() == 0) throw CLI::RequiredError("--config or --data-dir");
    chosen = [arguments] { return reload(*arguments); };
  });
}

}  // namespace logflume
