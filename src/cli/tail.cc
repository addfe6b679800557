#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "cli/agent.h"
#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/tail_config.h"
#include "config/load.h"

namespace logflume {
namespace {

struct TailOptions {
  TailRequest request;
  std::string from = "beginning";
  bool until_eof = false;
  bool print_config = false;
};

// A directory of its own for a run whose checkpoints nobody needs afterwards.
class TemporaryDirectory {
 public:
  TemporaryDirectory() = default;
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }

  Result<std::string> create() {
    std::error_code error;
    const std::filesystem::path base = std::filesystem::temp_directory_path(error);
    if (error) return Error{Errc::kIo, error.value(), "find a directory for temporary files"};
    std::string name = (base / "logflume-tail-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) return errno_error("create " + name);
    path_ = name;
    return name;
  }

 private:
  std::string path_;
};

int complain(const std::string& what) {
  fmt::print(stderr, "logflume tail: {}\n", what);
  return kExitUsage;
}

int tail(TailOptions options) {
  TailRequest& request = options.request;
  std::error_code error;
  request.directory = std::filesystem::current_path(error).string();
  if (error) {
    fmt::print(stderr, "logflume tail: the working directory cannot be found: {}\n", error.message());
    return kExitFailure;
  }
  request.from_end = options.from == "end";
  TemporaryDirectory temporary;
  const bool lasting = !request.data_dir.empty();
  if (!lasting && options.print_config) {
    // The YAML outlives this process, so must its directory: the agent makes it.
    request.data_dir =
        (std::filesystem::temp_directory_path(error) / fmt::format("logflume-{}", ::getuid())).string();
  } else if (!lasting) {
    const Result<std::string> created = temporary.create();
    if (!created) {
      fmt::print(stderr, "logflume tail: {}\n", created.error().text());
      return kExitFailure;
    }
    request.data_dir = *created;
  }
  const Result<Config> config = tail_config(request);
  if (!config) return complain(config.error().text());

  // What is shown is what is run: the same text is loaded either way.
  const std::string yaml = to_yaml(*config);
  LoadedConfig loaded = load_config_texts({{"(tail)", yaml}}, Environment());
  if (!loaded.config) {
    fmt::print(stderr, "{}", render(loaded.diagnostics));
    return kExitUsage;
  }
  if (options.print_config) {
    if (!lasting) fmt::print("# data_dir keeps the checkpoints: choose a lasting place for it.\n");
    fmt::print("{}", yaml);
    return kExitOk;
  }
  AgentOptions agent;
  agent.config = std::move(loaded.config);
  agent.until_eof = options.until_eof;
  agent.temporary = !lasting;
  return run_agent(std::move(agent));
}

}  // namespace

void add_tail_command(CLI::App& app, Command& chosen) {
  CLI::App* command =
      app.add_subcommand("tail", "Follow files without a configuration, and send their lines somewhere");
  const auto options = std::make_shared<TailOptions>();
  command
      ->add_option("patterns", options->request.patterns,
                   "Globs of the files: * ? [a-z] {a,b} and ** for directories")
      ->required()
      ->type_name("PATTERN");
  command
      ->add_option(
          "--to", options->request.to,
          "Where lines go: console, file:PATH, tcp://HOST:PORT, http(s)://..., kafka://HOST:PORT/TOPIC")
      ->type_name("URI")
      ->capture_default_str();
  command
      ->add_option("--from", options->from,
                   "Where to begin in files that are there already: beginning or end")
      ->check(CLI::IsMember({"beginning", "end"}))
      ->type_name("WHERE")
      ->capture_default_str();
  command->add_flag("--until-eof", options->until_eof, "Stop once everything has been read and delivered");
  command->add_flag("--print-config", options->print_config,
                    "Print the configuration that this stands for, and exit");
  command
      ->add_option("--data-dir", options->request.data_dir,
                   "Keep checkpoints there, so that the next run goes on where this one stopped")
      ->type_name("DIR");
  command->callback([options, &chosen] { chosen = [options] { return tail(*options); }; });
}

}  // namespace logflume
