// Whether the peer of a sink would have it: asked once, before a reload trusts a new sink with what it
// replaces.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "sink/sink_config.h"

namespace logflume {

// Each connects as its sink would, sends no event, and closes. Blocks for `timeout`, and while a name is
// looked up. `http` is asked for the connection only: what it answers to a request depends on the request.
// Errors: kIo and others: says who does not have us, and why.
Result<void> check_peer(const TcpSinkConfig& config, Duration timeout);
Result<void> check_peer(const HttpSinkConfig& config, Duration timeout);
Result<void> check_peer(const KafkaSinkConfig& config, Duration timeout);
// Sinks without a peer.
inline Result<void> check_peer(const SinkConfig&, Duration) { return {}; }

}  // namespace logflume
