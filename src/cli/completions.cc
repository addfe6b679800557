#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "cli/command_doc.h"
#include "cli/commands.h"
#include "cli/exit_codes.h"

namespace logflume {
namespace {

template <typename Visit>
void walk(const CommandDoc& command, const Visit& visit) {
  visit(command);
  for (const CommandDoc& inner : command.commands) walk(inner, visit);
}

std::string option_words(const CommandDoc& command) {
  std::string out;
  for (const OptionDoc& option : command.options) {
    if (option.positional) continue;
    for (const std::string& name : option.names) out += (out.empty() ? "" : " ") + name;
  }
  return out;
}

// Inside single quotes of any of the three shells.
std::string single_quoted(std::string_view text, std::string_view quote) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += quote;
    } else {
      out += c == '\n' ? ' ' : c;
    }
  }
  return out;
}

// `case` patterns of every command but the root: "logflume run" | ...
std::string path_patterns(const CommandDoc& root) {
  std::string out;
  walk(root, [&](const CommandDoc& command) {
    if (&command != &root) out += fmt::format("{}'{}'", out.empty() ? "" : " | ", command.path);
  });
  return out;
}

}  // namespace

std::string bash_completion(const CommandDoc& root) {
  std::string out = fmt::format(R"(# bash completion for logflume; made by "logflume completions bash"
_logflume() {{
  local at={} word words=''
  COMPREPLY=()
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$at $word" in
      {}) at="$at $word" ;;
    esac
  done
  case "$at" in
)",
                                root.name, path_patterns(root));
  walk(root, [&](const CommandDoc& command) {
    std::string names;
    for (const CommandDoc& inner : command.commands) names += inner.name + " ";
    out += fmt::format("    '{}') words='{}{}' ;;\n", command.path, names, option_words(command));
  });
  out += R"(  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -o bashdefault -F _logflume logflume
)";
  return out;
}

std::string zsh_completion(const CommandDoc& root) {
  std::string out = fmt::format(R"(#compdef logflume
# zsh completion for logflume; made by "logflume completions zsh"
_logflume() {{
  local at={} word
  local -a commands options
  for word in ${{words[2,CURRENT-1]}}; do
    case "$at $word" in
      ({}) at="$at $word" ;;
    esac
  done
  case "$at" in
)",
                                root.name, path_patterns(root));
  const auto described = [](std::string_view name, std::string_view description) {
    // A colon parts name and description.
    return fmt::format(" '{}:{}'", name, single_quoted(description, "'\\''"));
  };
  walk(root, [&](const CommandDoc& command) {
    out += fmt::format("    ('{}')\n      commands=(", command.path);
    for (const CommandDoc& inner : command.commands) out += described(inner.name, inner.description);
    out += " )\n      options=(";
    for (const OptionDoc& option : command.options) {
      if (option.positional) continue;
      for (const std::string& name : option.names) out += described(name, option.description);
    }
    out += " ) ;;\n";
  });
  out += R"(  esac
  (( ${#commands} )) && _describe -t commands command commands
  _describe -o -t options option options
  (( ${#commands} )) || _files
}
if [ "$funcstack[1]" = "_logflume" ]; then _logflume "$@"; else compdef _logflume logflume; fi
)";
  return out;
}

std::string fish_completion(const CommandDoc& root) {
  std::string out = "# fish completion for logflume; made by \"logflume completions fish\"\n";
  walk(root, [&](const CommandDoc& command) {
    std::string condition = "__fish_use_subcommand";
    if (&command != &root) {
      // "logflume checkpoints list" -> seen checkpoints and seen list
      condition.clear();
      std::string_view rest = std::string_view(command.path).substr(root.name.size() + 1);
      while (!rest.empty()) {
        const std::size_t blank = std::min(rest.find(' '), rest.size());
        condition += fmt::format("{}__fish_seen_subcommand_from {}", condition.empty() ? "" : "; and ",
                                 rest.substr(0, blank));
        rest.remove_prefix(std::min(blank + 1, rest.size()));
      }
    }
    for (const CommandDoc& inner : command.commands) {
      out += fmt::format("complete -c logflume -n '{}' -f -a {} -d '{}'\n", condition, inner.name,
                         single_quoted(inner.description, "\\'"));
    }
    for (const OptionDoc& option : command.options) {
      if (option.positional) continue;
      out += fmt::format("complete -c logflume -n '{}'", condition);
      for (const std::string& name : option.names) {
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      out += fmt::format("{} -d '{}'\n", option.value.empty() ? "" : " -r",
                         single_quoted(option.description, "\\'"));
    }
  });
  return out;
}

void add_completions_command(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand("completions", "Print the completion script of a shell");
  const auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->type_name("SHELL");
  command->footer("bash: source <(logflume completions bash)");
  command->callback([shell, &app, &chosen] {
    chosen = [shell, &app] {
      const CommandDoc root = document(app);
      fmt::print("{}", *shell == "bash"  ? bash_completion(root)
                       : *shell == "zsh" ? zsh_completion(root)
                                         : fish_completion(root));
      return kExitOk;
    };
  });
}

}  // namespace logflume
