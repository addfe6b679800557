// Configuration files on disk.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/document.h"

namespace logflume {

// (name, text) of every file that `paths` lead to; what cannot be read is reported and left out.
std::vector<std::pair<std::string, std::string>> read_config_files(const std::vector<std::string>& paths,
                                                                   Diagnostics& diagnostics);

}  // namespace logflume
