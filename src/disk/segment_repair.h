// Makes a segmented log whole again where it is damaged.
#pragma once

#include <string>

#include "base/result.h"
#include "disk/disk.h"
#include "disk/segment_reader.h"

namespace logflume {

// Moves the bytes of `damage` to `directory`/damaged, durably, and has fillers stand in their place, or, at
// the end of a segment's file, nothing. An empty damage, that of a segment's header, gets a new header.
// Whatever fails, or a crash, leaves the bytes in one of both places.
//
// REQUIRES: nobody else has the log open; `damage` is what a SegmentReader has found since.
// Errors:   those of Disk; kInvalidArgument: the bytes do not fit into `directory`/damaged, or differ from
// what
//           is there under the name; nothing is changed then.
Result<void> repair(Disk& disk, const std::string& directory, const LogDamage& damage);

}  // namespace logflume
