#include "topology/services.h"

#include <unistd.h>

namespace logflume {
namespace {

std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return "localhost";
  return name;
}

}  // namespace

Shared::Shared(const Config& config, Services s)
    : services(std::move(s)), budget(config.memory_limit), slabs(budget), host(host_name()) {
  if (config.rate_limit) global_rate = std::make_unique<TokenBucket>(*config.rate_limit);
}

}  // namespace logflume
