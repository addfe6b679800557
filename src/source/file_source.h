// The file source: discovery, identity, fair reading and feeding, on one thread.
#pragma once

#include <memory>

#include "source/file_source_config.h"
#include "source/source.h"

namespace logflume {

std::unique_ptr<Source> make_file_source(FileSourceConfig config, SourceContext context);

}  // namespace logflume
