// Kafka: one event, one message, by librdkafka.
#pragma once

#include <memory>

#include "sink/sink.h"
#include "sink/sink_config.h"

namespace logflume {

// Raw payloads are sent out of the slabs, uncopied. acks=all and idempotence unless `options` say otherwise;
// an unreachable broker is waited for without limit. A message that the broker will never accept is counted
// and named, and does not hold up the others.
// open() errors: kInvalidArgument: a template, property or certificate that cannot work, named.
std::unique_ptr<Sink> make_kafka_sink(KafkaSinkConfig config, SinkContext context);

}  // namespace logflume
