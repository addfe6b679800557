// One repetition of writing lines to a file. The ways of writing are functions of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "lab/experiment.h"

namespace logflume {

struct WriteJob {
  std::string path;                                    // made anew, removed afterwards
  std::vector<std::string_view> lines;                 // written over and over
  std::uint64_t bytes_max = 0;                         // and so is the file, no longer than this
  Duration time{};                                     // not much longer than this
  int open_flags = 0;                                  // O_DSYNC, say
  std::vector<std::uint32_t>* latencies_ns = nullptr;  // room for them, made before
};

// Of all: operations are lines, latencies those of what hands lines to the kernel, a sync included. Errors:
// what the kernel says.

// A write for each line; `sync`: and an fdatasync.
Result<LabWork> write_each_line(const WriteJob& job, bool sync);
// Lines are gathered in a buffer that is written when it is full; `sync`: with an fdatasync after each, which
// is what a group commit does.
Result<LabWork> write_buffered(const WriteJob& job, std::size_t buffer_bytes, bool sync);
// The lines are gathered by the kernel: so many a call.
Result<LabWork> write_vectors(const WriteJob& job, std::size_t lines_each);
// Copied into a map of the file; `sync_bytes`: msync after each so many.
Result<LabWork> write_mapped(const WriteJob& job, std::size_t sync_bytes);

}  // namespace logflume
