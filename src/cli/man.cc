#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/command_doc.h"
#include "cli/commands.h"
#include "cli/exit_codes.h"

namespace logflume {
namespace {

std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    // A dot or an apostrophe that begins a line would be a request.
    if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

void options(std::string& out, const CommandDoc& command) {
  for (const OptionDoc& option : command.options) {
    out += ".TP\n";
    std::string names;
    for (const std::string& name : option.names) {
      names += fmt::format("{}{}", names.empty() ? "" : ", ",
                           option.positional ? "\\fI" + roff(name) + "\\fR" : "\\fB" + roff(name) + "\\fR");
    }
    out += names;
    if (!option.value.empty() && !option.positional) out += " \\fI" + roff(option.value) + "\\fR";
    out += fmt::format("\n{}\n", roff(option.description));
  }
}

void command_section(std::string& out, const CommandDoc& command) {
  out += fmt::format(".SS \"{}\"\n{}\n", roff(command.path), roff(command.description + "."));
  options(out, command);
  for (const CommandDoc& inner : command.commands) command_section(out, inner);
}

}  // namespace

std::string man_page(const CommandDoc& root) {
  std::string out = fmt::format(R"(.TH LOGFLUME 1 "" "logflume {}" "User Commands"
.SH NAME
logflume \- real\-time log collection
.SH SYNOPSIS
.B logflume
.I COMMAND
.RI [ OPTION ...]
.SH DESCRIPTION
{}
Results go to standard output, everything else to standard error.
.SH OPTIONS
)",
                                LOGFLUME_VERSION, roff(root.description));
  options(out, root);
  out += ".SH COMMANDS\n";
  for (const CommandDoc& command : root.commands) command_section(out, command);
  out += R"(.SH SIGNALS
.TP
SIGTERM, SIGINT
Stop reading, deliver what was read, and exit: 0, or 1 if data had to be left for the next start.
.TP
SIGHUP
Read the configuration again. A bad one leaves the old one running.
.SH EXIT STATUS
.TP
0
Done.
.TP
1
Failure at run time.
.TP
2
Wrong command line.
.TP
78
Bad configuration, or one that cannot be read.
.SH ENVIRONMENT
Every variable may be used in the configuration, as in ${VAR} and ${VAR:\-default}.
.TP
NO_COLOR
When set, messages are not coloured.
.SH FILES
.TP
/var/lib/logflume
Checkpoints, unless \fBdata_dir\fR says otherwise.
.SH EXAMPLES
.nf
logflume tail \(aq/var/log/app/*.log\(aq
logflume tail \(aq/var/log/app/*.log\(aq \-\-to kafka://127.0.0.1:9092/logs
logflume run \-\-config /etc/logflume/logflume.yaml
.fi
)";
  return out;
}

void add_man_command(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand("man", "Print the man page, as roff");
  command->callback([&app, &chosen] {
    chosen = [&app] {
      fmt::print("{}", man_page(document(app)));
      return kExitOk;
    };
  });
}

}  // namespace logflume
