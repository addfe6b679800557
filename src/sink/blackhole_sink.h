// Delivers nowhere, at once: to measure everything before the sink, and to switch an output off.
#pragma once

#include <memory>

#include "sink/sink.h"
#include "sink/sink_config.h"

namespace logflume {

// Counts a batch as it stands, without looking at its events: `encoding` does not matter, and sent bytes are
// those of the lines with their newlines.
std::unique_ptr<Sink> make_blackhole_sink(BlackholeSinkConfig config, SinkContext context);

}  // namespace logflume
