// Pages of code that only the start needed.
#pragma once

namespace logflume {

// Takes what is mapped of this program and its libraries, read-only, out of the process. What is used again
// comes back from the page cache as it is used (a minor fault, microseconds); the rest, most of what parsers,
// constructors and the linker touched, does not count as resident any more. Any thread.
void release_start_pages();

}  // namespace logflume
