// What librdkafka's error codes mean for a message, and in words.
#pragma once

#include <string>

namespace logflume {

enum class KafkaVerdict {
  kDelivered,
  kRefused,    // the broker will never accept the message, or the batch that it was in
  kRetry,      // an operator or time can mend it: hand it over again
  kTakenBack,  // purged by the sink itself
};

// `error` is a rd_kafka_resp_err_t.
KafkaVerdict kafka_verdict(int error);
// The refusal is about the size of the batch: a smaller one may pass.
bool kafka_refuses_size(int error);
// The refusal is about the topic, not about what is in the batch.
bool kafka_refuses_topic(int error);
// The trouble is one topic's: others are not concerned.
bool kafka_is_of_topic(int error);
// No broker can be spoken to: none answers, or none accepts who we are.
bool kafka_is_unreachable(int error);
// Says that all brokers are down, not why.
bool kafka_is_summary(int error);
// A request that got no answer; the next one may.
bool kafka_is_transient(int error);

// For metrics: "msg_size_too_large".
std::string kafka_error_name(int error);
// For people.
std::string kafka_error_text(int error);
// For the operator who can mend it.
std::string kafka_retry_reason(int error, const std::string& topic);

}  // namespace logflume
