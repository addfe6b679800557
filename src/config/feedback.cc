#include "config/feedback.h"

#include <filesystem>
#include <set>

#include "source/glob.h"
#include "transform/plan.h"

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

namespace {

// Those that events come from, through whatever transforms.
std::set<std::string> sources_of(const std::vector<std::string>& inputs, const Config& config) {
  std::set<std::string> sources;
  std::set<std::string> seen;
  std::vector<std::string> open = inputs;
  while (!open.empty()) {
    const std::string name = std::move(open.back());
    open.pop_back();
    if (!seen.insert(name).second) continue;
    if (config.sources.contains(name)) sources.insert(name);
    auto transform = config.transforms.find(name);
    if (transform == config.transforms.end())
      transform = config.transforms.find(std::string(split_output(name).first));
    if (transform == config.transforms.end()) continue;
    open.insert(open.end(), transform->second.inputs().begin(), transform->second.inputs().end());
  }
  return sources;
}

}  // namespace

std::optional<std::string> feeds_itself(const FileSinkConfig& sink, const Config& config,
                                        const std::string& directory) {
  if (sink.path.empty() || sink.path.find('%') != std::string::npos ||
      sink.path.find("{{") != std::string::npos)
    return {};
  const std::string path = (std::filesystem::path(directory) / sink.path).lexically_normal().string();
  for (const std::string& input : sources_of(sink.inputs, config)) {
    const auto* file = std::get_if<FileSourceConfig>(&config.sources.at(input));
    if (file != nullptr && matches(file->include, path, directory) &&
        !matches(file->exclude, path, directory))
      return input;
  }
  return {};
}

}  // namespace logflume
