// What is wrong with a sink's configuration, before there is a sink.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace logflume {

// One fault, by the key that it is about. The configuration's loader reports all of them where the keys
// stand; a sink refuses to open for the first.
struct SettingFault {
  std::string key;      // relative to the sink: "options.acks"; empty: the sink as a whole
  std::string message;  // names the key
  std::string expected;
  std::string hint;
  bool of_name = false;  // the key's name is wrong, not its value
};

// REQUIRES: !faults.empty().
inline Error first_error(const std::vector<SettingFault>& faults) {
  return Error{Errc::kInvalidArgument, 0, faults.front().message};
}

}  // namespace logflume
