// Sinks that write what their own sources read.
#pragma once

#include <optional>
#include <string>

#include "config/config.h"

namespace logflume {

// What is wrong with a glob; empty when it is fine.
std::string check_glob(const std::string& text);

// The source among the sink's inputs whose globs match the file that the sink writes: each event would come
// back as a new one, for ever. Templated paths are not looked at. `directory` is where relative paths begin.
std::optional<std::string> feeds_itself(const FileSinkConfig& sink, const Config& config,
                                        const std::string& directory);

}  // namespace logflume
