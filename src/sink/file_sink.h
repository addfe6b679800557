// Writes events to files, each line exactly once, also through kill -9.
#pragma once

#include <memory>

#include "sink/sink.h"
#include "sink/sink_config.h"

namespace logflume {

// Group commit: what waits in the inbox is written, each touched file synced once, and acknowledged together
// with the files' new lengths, in one commit of the checkpoint store. At the start what lies beyond a
// recorded length is cut off. A file without a record is only appended to: its length is recorded, durably,
// before the first write. An output that was rotated away is left as it is and a new one opened under its
// path. After a stop that left nothing unacknowledged there is no record either: what others append meanwhile
// is not cut off.
//
// A file has one writer: an output that is, under whatever name, another sink's file already is not opened.
//
// Blocks its thread on the disk: give it one of its own.
// Errors of open(): kInvalidArgument (path template).
// An output that cannot be written (disk full, no permission) is tried again for ever, a torn write cut off
// first. What goes there waits, and with it what else comes of the same source files; other files' lines flow
// on, as long as what waits leaves room in the sink's buffer.
std::unique_ptr<Sink> make_file_sink(FileSinkConfig config, SinkContext context);

}  // namespace logflume
