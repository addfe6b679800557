#include "cli/config_files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "config/load.h"

namespace logflume {

std::optional<Config> load_config_or_explain(const std::vector<std::string>& paths) {
  LoadedConfig loaded = load_config(paths, Environment::of_process());
  const bool colours = ::isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  fmt::print(stderr, "{}", render(loaded.diagnostics, colours));
  return std::move(loaded.config);
}

}  // namespace logflume
