// Newline-framed events over TCP, acknowledged when the peer's kernel has them.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "sink/sink.h"
#include "sink/sink_config.h"
#include "sink/tcp_connection.h"

namespace logflume {

// What a host's name stands for, best first.
using TcpLookUp = std::function<Result<std::vector<SocketAddress>>(const HostPort&)>;

// Semantics 16. After a broken connection it sends again from the first line that was not acknowledged.
std::unique_ptr<Sink> make_tcp_sink(TcpSinkConfig config, SinkContext context,
                                    TcpLookUp look_up_name = look_up);

// No name look-up, no TLS: every call returns at once.
bool tcp_never_blocks(const TcpSinkConfig& config);

}  // namespace logflume
