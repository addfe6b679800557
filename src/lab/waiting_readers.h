// Ways to wait for many sockets at a time, each run in a process of its own: what `lab concurrency` compares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace logflume {

enum class ReaderKind { kThreads, kCoroutines, kAsioCoroutines, kEventLoop };

struct WaitingFigures {
  std::size_t readers = 0;    // that could be made
  std::string refused;        // why there are no more of them; empty: all are there
  double resident_bytes = 0;  // RSS of the process, each reader, without its socket
  double kernel_bytes =
      0;  // Slab, KernelStack and PageTables of /proc/meminfo, each reader: the whole machine's
  double socket_bytes = 0;                  // the same of both ends of a connection
  double cpu_seconds = 0;                   // of the readers' process, each wake-up
  std::vector<std::uint32_t> latencies_ns;  // from the write until the reader has the bytes
};

// How many readers the limits of this process and machine allow, of `wanted`; `reason` says which limit
// forbids more, or is empty. Raises the soft limit of open files to what it needs.
struct ReaderLimit {
  std::size_t readers = 0;
  std::string reason;
};
ReaderLimit reader_limit(std::size_t wanted);

// What limits it, apart from how it is found out.
struct ReaderResources {
  std::uint64_t open_files = 0;    // hard limit
  std::uint64_t threads = 0;       // that may still be made
  std::uint64_t memory_bytes = 0;  // that may still be taken
  std::uint64_t ports = 0;         // of the loopback interface
};
ReaderLimit reader_limit(std::size_t wanted, const ReaderResources& resources);

// Forks: a child with `readers` connected TCP sockets (loopback) that waits for all of them, while this
// process writes to one after the other, `wake_ups` times, each when the one before has been read. Blocks.
Result<WaitingFigures> measure_waiting(ReaderKind kind, std::size_t readers, std::size_t wake_ups);

}  // namespace logflume
