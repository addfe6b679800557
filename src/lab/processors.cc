#include "lab/processors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <functional>
#include <utility>

namespace logflume {
namespace {

int number_in(const std::string& path, int otherwise) {
  std::ifstream file(path);
  int number = 0;
  return file >> number ? number : otherwise;
}

// The last level that the kernel describes for this processor: the first of those that share it.
int last_cache(int processor) {
  int first = processor;
  for (int index = 0;; ++index) {
    std::ifstream file(
        fmt::format("/sys/devices/system/cpu/cpu{}/cache/index{}/shared_cpu_list", processor, index));
    int number = 0;
    if (!(file >> number)) return first;
    first = number;
  }
}

}  // namespace

std::vector<Processor> usable_processors() {
  std::vector<Processor> found;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return found;
  for (int number = 0; number < CPU_SETSIZE; ++number) {
    if (!CPU_ISSET(static_cast<std::size_t>(number), &allowed)) continue;
    const std::string topology = fmt::format("/sys/devices/system/cpu/cpu{}/topology/", number);
    found.push_back({.number = number,
                     .core = number_in(topology + "core_id", number),
                     .package = number_in(topology + "physical_package_id", 0),
                     .cache = last_cache(number)});
  }
  return found;
}

std::vector<ProcessorPair> processor_pairs(std::span<const Processor> processors) {
  std::vector<ProcessorPair> pairs;
  if (processors.empty()) return pairs;
  pairs.push_back({"one processor", processors[0].number, processors[0].number});
  const auto add = [&](std::string name, const std::function<bool(const Processor&, const Processor&)>& is) {
    for (const Processor& first : processors) {
      for (const Processor& second : processors) {
        if (first.number == second.number || !is(first, second)) continue;
        pairs.push_back({std::move(name), first.number, second.number});
        return;
      }
    }
  };
  add("siblings",
      [](const Processor& a, const Processor& b) { return a.package == b.package && a.core == b.core; });
  add("two cores", [](const Processor& a, const Processor& b) {
    return a.package == b.package && a.core != b.core && a.cache == b.cache;
  });
  add("two caches",
      [](const Processor& a, const Processor& b) { return a.package == b.package && a.cache != b.cache; });
  add("two sockets", [](const Processor& a, const Processor& b) { return a.package != b.package; });
  return pairs;
}

Pinned::Pinned(int processor) {
  CPU_ZERO(&before_);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(processor), &one);
  if (::sched_getaffinity(0, sizeof before_, &before_) != 0 ||
      ::sched_setaffinity(0, sizeof one, &one) != 0) {
    errno_ = errno;
  }
}

Pinned::~Pinned() {
  if (errno_ == 0) ::sched_setaffinity(0, sizeof before_, &before_);
}

Result<void> Pinned::result() const {
  if (errno_ != 0) return errno_error(errno_, "keep a thread on one processor");
  return {};
}

}  // namespace logflume
