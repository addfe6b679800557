// The configuration for a log whose format was found.
#pragma once

#include <string>

#include "detect/detect.h"

namespace logflume {

// A file source, the transforms and a console sink.
std::string config_text(const DetectedFormat& format, const std::string& path);

}  // namespace logflume
