#include "topology/peers.h"

#include <fmt/format.h>

#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "config/difference.h"
#include "sink/peer_check.h"

namespace logflume {

Result<void> check_new_peers(const Config& running, const Config& next, Duration timeout) {
  std::vector<std::pair<std::string, std::future<Result<void>>>> checks;
  for (const auto& [name, config] : next.sinks) {
    const std::string& formerly = former_name(config);
    auto before = running.sinks.find(name);
    if (before == running.sinks.end() && !formerly.empty()) before = running.sinks.find(formerly);
    if (before != running.sinks.end() && runs_as(before->second, config)) continue;
    // A thread that hangs in a name's look-up is not waited for.
    std::promise<Result<void>> answer;
    checks.emplace_back(name, answer.get_future());
    std::thread([config = config, timeout, answer = std::move(answer)]() mutable {
      answer.set_value(std::visit([&](const auto& sink) { return check_peer(sink, timeout); }, config));
    }).detach();
  }
  const TimePoint end = steady_now() + timeout + 500ms;
  for (auto& [name, answer] : checks) {
    if (answer.wait_until(end) != std::future_status::ready)
      return Error{Errc::kIo, 0, fmt::format("sink {}: its peer's name is not found in time", name)};
    if (const auto checked = answer.get(); !checked) {
      Error error = checked.error();
      error.message = fmt::format("sink {}: {}", name, error.message);
      return error;
    }
  }
  return {};
}

}  // namespace logflume
