// From a component's configuration to the component: the one place that knows every type.
#pragma once

#include <memory>
#include <string_view>

#include "config/config.h"
#include "config/plan.h"
#include "sink/sink.h"
#include "source/source.h"

namespace logflume {

std::unique_ptr<Source> make_source(const AnySourceConfig& config, SourceContext context);
std::unique_ptr<Sink> make_sink(const AnySinkConfig& config, SinkContext context);

std::string_view type_name(const AnySourceConfig& config);
std::string_view type_name(const AnySinkConfig& config);

// The sink never blocks its thread and does little on it, so that it may run on its source's.
bool may_share_thread(const AnySinkConfig& config);

}  // namespace logflume
