// Sends events in the bodies of HTTP requests.
#pragma once

#include <memory>

#include "sink/sink.h"
#include "sink/sink_config.h"

namespace logflume {

// 2xx acknowledges. 400 and 422 are final: the batch is dropped and counted. 413 halves the batch; a single
// event that is too large all the same is dropped and counted. Everything else, redirects included, is tried
// again for ever (docs/guarantees.md).
//
// Requests that run side by side are for different files: each file belongs to one lane, and a lane has one
// request at a time, so that its lines stay in order, retries included.
//
// Never blocks: libcurl's sockets are watched by the loop.
// Errors of open(): kInvalidArgument (uri, method, header, certificate file), kUnsupported.
std::unique_ptr<Sink> make_http_sink(HttpSinkConfig config, SinkContext context);

}  // namespace logflume
