// How the C library's allocator is held to what is in use, and what happens when the system has no more.
#pragma once

#include <cstdint>

namespace logflume {

// For the whole process, before it has threads: large blocks go back to the system when they are freed, and
// threads share few arenas. A `new` for which there is no memory (RLIMIT_AS, overcommit) gives back what is
// free and waits until it gets some, for half a minute at most; then std::bad_alloc ends the process.
void tune_allocator();

// How often the system had no memory for us. Any thread.
std::uint64_t memory_refusals();
void count_memory_refusal();

// Gives memory that was freed back to the system, if there is much of it. Takes milliseconds.
void return_freed_memory();

}  // namespace logflume
