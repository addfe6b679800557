#include "cli/command_doc.h"

#include <CLI/CLI.hpp>

namespace logflume {
namespace {

OptionDoc document_option(const CLI::Option& option) {
  OptionDoc out;
  out.positional = !option.nonpositional();
  if (out.positional) {
    out.names.push_back(option.get_name(true));
  } else {
    for (const std::string& name : option.get_snames()) out.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) out.names.push_back("--" + name);
  }
  if (option.get_items_expected_max() > 0) {
    // Validators append what they accept, as in "SHELL:{bash,zsh,fish}".
    out.value = option.get_type_name();
    out.value = out.value.substr(0, out.value.find(':'));
  }
  out.description = option.get_description();
  out.required = option.get_required();
  return out;
}

CommandDoc document_command(const CLI::App& app, const std::string& before) {
  CommandDoc out;
  out.name = app.get_name();
  out.path = before.empty() ? out.name : before + " " + out.name;
  out.description = app.get_description();
  for (const CLI::Option* option : app.get_options()) {
    // An empty group hides.
    if (!option->get_group().empty()) out.options.push_back(document_option(*option));
  }
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) out.commands.push_back(document_command(*command, out.path));
  }
  return out;
}

}  // namespace

CommandDoc document(const CLI::App& app) { return document_command(app, ""); }

}  // namespace logflume
