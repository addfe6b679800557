// What Prometheus expects of every process (process_*), and logflume_build_info.
#pragma once

#include <memory>

#include "telemetry/metrics.h"

namespace logflume {

// Read from /proc each time the page is asked for. What cannot be read is left out.
std::shared_ptr<MetricRegistry::Collector> collect_process_metrics(MetricRegistry& registry);

}  // namespace logflume
