#include "config/feedback.h"

#include <filesystem>

#include "source/glob.h"
#include "source/start_pattern.h"

namespace logflume {
namespace {

bool matches(const std::vector<std::string>& globs, const std::string& path, const std::string& directory) {
  GlobSet set;
  for (const std::string& glob : globs) {
    // A bad one has its own diagnostic.
    if (const Result<void> added = set.add(glob, directory); !added) continue;
  }
  return !set.empty() && set.matches(path);
}

}  // namespace

std::string check_glob(const std::string& text) {
  GlobSet set;
  const Result<void> added = set.add(text, "/");
  return added ? std::string() : added.error().message;
}

std::string check_pattern(const std::string& text) {
  const Result<StartPattern> compiled = StartPattern::compile(text);
  return compiled ? std::string() : compiled.error().message;
}

std::optional<std::string> feeds_itself(const FileSinkConfig& sink, const Config& config,
                                        const std::string& directory) {
  if (sink.path.empty() || sink.path.find('%') != std::string::npos ||
      sink.path.find("{{") != std::string::npos)
    return {};
  const std::string path = (std::filesystem::path(directory) / sink.path).lexically_normal().string();
  for (const std::string& input : sink.inputs) {
    const auto source = config.sources.find(input);
    if (source == config.sources.end()) continue;
    const auto* file = std::get_if<FileSourceConfig>(&source->second);
    if (file != nullptr && matches(file->include, path, directory) &&
        !matches(file->exclude, path, directory))
      return input;
  }
  return {};
}

}  // namespace logflume
