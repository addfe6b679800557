#include "sink/kafka_error.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <cctype>

namespace logflume {

KafkaVerdict kafka_verdict(int error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      return KafkaVerdict::kDelivered;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
      return KafkaVerdict::kRefused;
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
      return KafkaVerdict::kTakenBack;
    default:
      return KafkaVerdict::kRetry;
  }
}

bool kafka_refuses_size(int error) {
  return error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || error == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE;
}

bool kafka_refuses_topic(int error) { return error == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION; }

bool kafka_is_of_topic(int error) {
  return error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
         error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
         error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
}

bool kafka_is_unreachable(int error) {
  return error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || error == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
         error == RD_KAFKA_RESP_ERR__SSL || error == RD_KAFKA_RESP_ERR__RESOLVE;
}

bool kafka_is_summary(int error) { return error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN; }

bool kafka_is_transient(int error) {
  return error == RD_KAFKA_RESP_ERR__TRANSPORT || error == RD_KAFKA_RESP_ERR__TIMED_OUT ||
         error == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE || error == RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT;
}

std::string kafka_error_name(int error) {
  std::string name = rd_kafka_err2name(static_cast<rd_kafka_resp_err_t>(error));
  name.erase(0, name.find_first_not_of('_'));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

std::string kafka_error_text(int error) { return rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(error)); }

std::string kafka_retry_reason(int error, const std::string& topic) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      return "topic " + topic + " does not exist: create it, or let the broker create topics";
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return "the broker does not allow writing to topic " + topic;
    default:
      return "topic " + topic + ": " + kafka_error_text(error);
  }
}

}  // namespace logflume
