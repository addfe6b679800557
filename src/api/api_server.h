// The agent's HTTP answers: is it alive, is it ready, how is it, what has it counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace logflume {

struct ApiRequest {
  std::string_view query;  // behind the "?", as it was sent
  std::string_view body;
};

struct ApiReply {
  unsigned status = 200;
  std::string body;
  std::string_view type = "application/json";
};

// Where the answers come from. Called on the server's thread, one at a time; others wait as long as one
// blocks.
struct ApiHandlers {
  struct Readiness {
    bool ready = false;
    std::string reason;  // why not
  };
  struct Health {
    bool serving = true;  // ok or degraded; false is answered with 503
    std::string json;     // as HealthBoard::json() makes it
  };
  std::function<Readiness()> ready;
  std::function<Health()> health;
  std::function<std::string()> metrics;  // Prometheus text
  // What else is answered, by method and path: "POST /reload".
  std::map<std::string, std::function<ApiReply(const ApiRequest&)>, std::less<>> more;
};

struct ApiLimits {
  std::size_t connections_max = 64;  // one more closes the one that has been idle the longest
  std::size_t header_bytes_max = 8 * 1024;
  std::size_t body_bytes_max = 1024 * 1024;  // of what `more` takes
  Duration idle_timeout =
      std::chrono::seconds(10);  // for a request to arrive, and for its answer to be taken
};

// GET and HEAD of / /livez /readyz /healthz /metrics, and what a handler is given for, on a thread of its own
// that sleeps when nobody asks.
class ApiServer {
 public:
  // `listen`: "host:port", IPv6 as "[::1]:8686"; port 0 takes a free one.
  // "unix:/path": a socket that only its owner may use, made anew; whoever owns the directory keeps others
  // from it. Errors: kInvalidArgument (not host:port), kNotFound (unknown host), kBusy (the port is in use),
  // kPermission, kIo.
  static Result<std::unique_ptr<ApiServer>> start(const std::string& listen, ApiHandlers handlers,
                                                  ApiLimits limits = {});
  // Closes all connections and ends the thread. No handler runs afterwards.
  ~ApiServer();
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  std::uint16_t port() const;

 private:
  ApiServer();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace logflume
