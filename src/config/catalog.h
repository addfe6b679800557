// Every component type and every key that a configuration may hold.
//
// A new type of component is one struct, one description, and one line in source_types() or sink_types().
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/describe.h"
#include "config/config.h"

namespace logflume {

const std::vector<ComponentType<AnySourceConfig>>& source_types();
const std::vector<ComponentType<AnySinkConfig>>& sink_types();

// Keys of the top level but `version`, `sources`, `transforms` and `sinks`; describes Config.
const ObjectDescription& top_level();

// Used by the catalog's files.
ObjectDescription describe_file_source();
ObjectDescription describe_blackhole_sink();
ObjectDescription describe_console_sink();
ObjectDescription describe_file_sink();
ObjectDescription describe_tcp_sink();
ObjectDescription describe_http_sink();
ObjectDescription describe_kafka_sink();

}  // namespace logflume
