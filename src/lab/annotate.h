#pragma once

#include <string>
#include <utility>
#include <vector>

namespace logflume {

// `yaml` as to_yaml() writes it, with comments at keys, each a (path, comment) pair:
// ("sinks.out.compression", "why"). Behind the value where that fits into `width`, else in lines above it.
// Comments whose key is not there are left out.
std::string annotate_yaml(const std::string& yaml,
                          const std::vector<std::pair<std::string, std::string>>& comments,
                          std::size_t width);

}  // namespace logflume
