#include "cli/cli.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "base/nearest_name.h"
#include "base/printable.h"
#include "cli/exit_codes.h"

namespace logflume {

namespace {

// What is wrong with the first word that `app` could not take; empty when it took all.
std::string name_unknown(const CLI::App& app) {
  const std::vector<std::string> left = app.remaining();
  if (left.empty()) return {};
  const std::string word = left.front().substr(0, left.front().find('='));
  const bool is_option = word.starts_with('-');
  std::vector<std::string> known;
  if (is_option) {
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
  } else {
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
      known.push_back(command->get_name());
    }
  }
  const char* const what = is_option ? "option" : known.empty() ? "argument" : "command";
  const std::string near = nearest_name(word, known);
  return fmt::format("unknown {} \"{}\"{}", what, printable(word),
                     near.empty() ? "" : fmt::format(": did you mean \"{}\"?", near));
}

}  // namespace

std::unique_ptr<CLI::App> make_app(Command& chosen) {
  auto app = std::make_unique<CLI::App>(
      "Reads logs where they are born and delivers every line: acknowledged, in order, in bounded memory.",
      "logflume");
  app->set_version_flag("-V,--version", "logflume " LOGFLUME_VERSION, "Print the version and exit");
  app->set_help_flag("-h,--help", "Print this help message and exit");
  app->require_subcommand(1);
  app->get_formatter()->column_width(34);
  app->footer("Exit codes: 0 done, 1 failure at run time, 2 wrong command line, 78 bad configuration.");
  add_run_command(*app, chosen);
  add_reload_command(*app, chosen);
  add_validate_command(*app, chosen);
  add_test_command(*app, chosen);
  add_try_command(*app, chosen);
  add_graph_command(*app, chosen);
  add_tail_command(*app, chosen);
  add_detect_command(*app, chosen);
  add_tune_command(*app, chosen);
  add_checkpoints_command(*app, chosen);
  add_audit_command(*app, chosen);
  add_buffer_command(*app, chosen);
  add_generate_command(*app, chosen);
  add_lab_command(*app, chosen);
  add_schema_command(*app, chosen);
  add_completions_command(*app, chosen);
  add_man_command(*app, chosen);
  return app;
}

int cli_main(int argc, char** argv) {
  Command chosen;
  const std::unique_ptr<CLI::App> app = make_app(chosen);
  try {
    app->parse(argc, argv);
  } catch (const CLI::Success& answer) {  // --help, --version
    return app->exit(answer);
  } catch (const CLI::ParseError& error) {
    const CLI::App* where = app.get();
    for (const CLI::App* parsed : app->get_subcommands()) where = parsed;
    const std::string command = where == app.get() ? "logflume" : "logflume " + where->get_name();
    // A word that is not known explains more than what is missing because of it.
    const std::string unknown = name_unknown(*where);
    fmt::print(stderr, "{}: {}\nTry \"{} --help\".\n", command, unknown.empty() ? error.what() : unknown,
               command);
    return kExitUsage;
  }
  try {
    return chosen ? chosen() : kExitUsage;
  } catch (const std::exception& error) {
    // Nothing is meant to come this far: say what it was instead of aborting.
    fmt::print(stderr, "logflume: {}\n", error.what());
    return kExitFailure;
  }
}

}  // namespace logflume
