// Newline-framed events over TCP, acknowledged when the peer's kernel has them.
#pragma once

#include <memory>

#include "sink/sink.h"
#include "sink/sink_config.h"

namespace logflume {

// Semantics 16. After a broken connection it sends again from the first line that was not acknowledged.
std::unique_ptr<Sink> make_tcp_sink(TcpSinkConfig config, SinkContext context);

// No name look-up, no TLS: every call returns at once.
bool tcp_never_blocks(const TcpSinkConfig& config);

}  // namespace logflume
