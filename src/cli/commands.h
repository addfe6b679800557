// The subcommands, one file each.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace logflume {

// What a chosen subcommand does; returns the exit code (cli/exit_codes.h). May write results to stdout and
// everything else to stderr.
using Command = std::function<int()>;

// Each adds its subcommand to `app`; when the command line chooses it, `chosen` is what to run after parsing.
void add_run_command(CLI::App& app, Command& chosen);
void add_reload_command(CLI::App& app, Command& chosen);
void add_validate_command(CLI::App& app, Command& chosen);
void add_test_command(CLI::App& app, Command& chosen);
void add_try_command(CLI::App& app, Command& chosen);
void add_graph_command(CLI::App& app, Command& chosen);
void add_tail_command(CLI::App& app, Command& chosen);
void add_detect_command(CLI::App& app, Command& chosen);
void add_tune_command(CLI::App& app, Command& chosen);
void add_checkpoints_command(CLI::App& app, Command& chosen);
void add_audit_command(CLI::App& app, Command& chosen);
void add_buffer_command(CLI::App& app, Command& chosen);
void add_generate_command(CLI::App& app, Command& chosen);
void add_lab_command(CLI::App& app, Command& chosen);
void add_schema_command(CLI::App& app, Command& chosen);
void add_completions_command(CLI::App& app, Command& chosen);
void add_man_command(CLI::App& app, Command& chosen);

}  // namespace logflume
