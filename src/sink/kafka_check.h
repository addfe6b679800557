// What a Kafka sink can be told: the one rule for the configuration's loader and the sink.
#pragma once

#include <vector>

#include "sink/setting_fault.h"
#include "sink/sink_config.h"

namespace logflume {

// Templates that cannot be parsed, a topic that is no topic's name, options that librdkafka does not know or
// accept, or that would break what the sink relies on. Looks at nothing but `config`.
std::vector<SettingFault> kafka_faults(const KafkaSinkConfig& config);

// What librdkafka says only to who starts it: certificates that it cannot load, options that do not go
// together. Starts a client without brokers and ends it. Blocks: a few milliseconds, and on the files.
// REQUIRES: kafka_faults(config) is empty.
std::vector<SettingFault> kafka_start_faults(const KafkaSinkConfig& config);

}  // namespace logflume
