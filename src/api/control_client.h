// Asks the agent that runs on a data_dir, over its control socket.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace logflume {

// Where an agent listens: docs/control.md.
std::string control_socket(const std::string& data_dir);

struct ControlReply {
  unsigned status = 0;  // of HTTP
  std::string body;
};

// Blocks until the agent has answered, or for `timeout`.
// Errors: kNotFound: no agent runs there. kPermission, kIo.
Result<ControlReply> ask_agent(const std::string& data_dir, const std::string& method,
                               const std::string& target, const std::string& body, Duration timeout);

}  // namespace logflume
