#include "topology/services.h"

#include <unistd.h>

#include "base/cores.h"

namespace logflume {
namespace {

std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return "localhost";
  return name;
}

}  // namespace

Shared::Shared(const Config& config, Services s)
    : services(std::move(s)),
      budget(config.memory_limit),
      files(config.memory_limit / 2, &budget),
      workers(usable_cores()),
      slabs(budget),
      read_helpers(ReadHelpers::threads_for(workers.threads_max())),
      global_rate(config.rate_limit.value_or(0)),
      host(host_name()),
      data_dir(config.data_dir) {}

void Shared::adjust(const Config& config) {
  budget.set_limit(config.memory_limit);
  files.set_limit(config.memory_limit / 2);
  global_rate.set_rate(config.rate_limit.value_or(0));
}

}  // namespace logflume
