// Writes events to standard output. Acknowledged once written: what a pipe's reader does with them is not
// ours to know.
#pragma once

#include <unistd.h>

#include <memory>

#include "sink/sink.h"
#include "sink/sink_config.h"

namespace logflume {

// Never blocks its thread, whatever stands behind `fd` (a stopped pager, a full pipe), and leaves the
// descriptor's flags alone, which other processes share. A reader that closes its end makes the component
// failing: it takes nothing more, and what was not written stays unacknowledged.
// REQUIRES: SIGPIPE is ignored. `fd` stays open as long as the sink.
std::unique_ptr<Sink> make_console_sink(ConsoleSinkConfig config, SinkContext context,
                                        int fd = STDOUT_FILENO);

}  // namespace logflume
