// The configuration that `logflume tail` stands for.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace logflume {

struct TailRequest {
  std::vector<std::string> patterns;  // globs; relative ones are taken from `directory`
  std::string to = "console";         // console, file:PATH, tcp://, http://, https://, kafka://SERVERS/TOPIC
  bool from_end = false;
  std::string data_dir;
  std::string directory;  // the working directory, absolute
};

// One file source `tail`, one raw sink `out`. Errors: kInvalidArgument, the message saying what `to` may be.
Result<Config> tail_config(const TailRequest& request);

}  // namespace logflume
