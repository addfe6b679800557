// Copying out of a file map that another process may truncate under us.
#pragma once

#include <cstddef>

namespace logflume {

// Copies `size` bytes. False when the file has no byte behind some page of `from` any more (the kernel
// answers with SIGBUS, which also stands for a failed read of the disk); what `to` holds then is unspecified.
//
// The first call installs a SIGBUS handler for the process. It concerns itself only with faults inside
// [from, from + size) of the thread that copies, and hands every other one to the handler that was there
// before. REQUIRES: the map of `from` covers `size` bytes. Threads: any.
bool copy_from_map(char* to, const char* from, std::size_t size);

}  // namespace logflume
