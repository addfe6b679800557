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

std::optional<std::string> data_dir_or_explain(const std::string& given,
                                               const std::vector<std::string>& config_paths) {
  if (!given.empty()) return given;
  if (config_paths.empty()) return Config{}.data_dir;
  std::optional<Config> config = load_config_or_explain(config_paths);
  if (!config) return std::nullopt;
  return std::move(config->data_dir);
}

}  // namespace logflume
