// The command line.
#pragma once

#include <memory>

#include "cli/commands.h"

namespace logflume {

// Parses the command line and runs what it asks for. Returns the exit code (cli/exit_codes.h).
int cli_main(int argc, char** argv);

// The whole command line, undressed of its actions' results: what completions and the man page are made from.
// `chosen` must outlive the application.
std::unique_ptr<CLI::App> make_app(Command& chosen);

}  // namespace logflume
