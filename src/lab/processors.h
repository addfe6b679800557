// Which processors there are, and how near to each other: for threads that are pinned.
#pragma once

#include <sched.h>

#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace logflume {

struct Processor {
  int number = 0;
  int core = 0;     // of the package; processors that share it are siblings
  int package = 0;  // socket
  int cache = 0;    // last-level cache, by any number that those which share it have in common
};

// That this process may use, as the kernel describes them under /sys/devices/system/cpu.
std::vector<Processor> usable_processors();

// Two processors for two threads that talk to each other. The nearest kind first.
struct ProcessorPair {
  std::string name;  // "one processor", "siblings", "two cores", "two caches", "two sockets"
  int first = 0;
  int second = 0;
};

// One pair of each kind that there is.
std::vector<ProcessorPair> processor_pairs(std::span<const Processor> processors);

// Keeps the calling thread on one processor as long as it lives.
class Pinned {
 public:
  explicit Pinned(int processor);
  ~Pinned();
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  // Whether the kernel agreed.
  Result<void> result() const;

 private:
  cpu_set_t before_{};
  int errno_ = 0;
};

}  // namespace logflume
