// The peers of sinks that a reload brings.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"

namespace logflume {

// Tries the peer of each sink of `next` that is new or another one, all at once, for `timeout`.
// Errors: of the first sink whose peer refuses, or does not answer: the sink named.
Result<void> check_new_peers(const Config& running, const Config& next, Duration timeout);

}  // namespace logflume
