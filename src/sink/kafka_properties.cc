// Our configuration as librdkafka's properties.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

#include "base/cores.h"
#include "sink/compress.h"
#include "sink/kafka_client.h"

namespace logflume {
namespace {

// The largest request a broker accepts by default (socket.request.max.bytes) is 100 MiB, and it drops the
// connection above that; so larger messages are refused here. Below that the broker decides.
constexpr std::uint64_t kMessageBytesMax = 100'000'000;
constexpr std::uint64_t kBrokerBatchBytes =
    1'048'588 - 512;  // max.message.bytes, less what is counted beside messages
constexpr std::uint64_t kQueueMessagesMin = 1'000;
constexpr std::uint64_t kQueueMessagesMax = 1'000'000;

const std::string* option(const KafkaSinkConfig& config, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto found = config.options.find(name);
    if (found != config.options.end()) return &found->second;
  }
  return nullptr;
}

std::optional<std::uint64_t> number(const std::string* text) {
  std::uint64_t value = 0;
  if (text == nullptr) return std::nullopt;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || value == 0) return std::nullopt;
  return value;
}

bool is_false(const std::string* value) { return value != nullptr && (*value == "false" || *value == "0"); }

// Null when all replicas have to acknowledge.
const std::string* weak_acks(const KafkaSinkConfig& config) {
  const std::string* acks = option(config, {"acks", "request.required.acks"});
  return acks != nullptr && *acks != "all" && *acks != "-1" ? acks : nullptr;
}

// Idempotence needs all acknowledgements: who asks for fewer gives it up.
bool is_idempotent(const KafkaSinkConfig& config) {
  const std::string* asked = option(config, {"enable.idempotence"});
  return asked != nullptr ? !is_false(asked) : weak_acks(config) == nullptr;
}

void add_security(const KafkaSinkConfig& config, KafkaProperties& properties) {
  const bool sasl = !config.sasl.mechanism.empty();
  if (sasl) {
    properties.emplace_back("security.protocol", config.tls.enabled ? "sasl_ssl" : "sasl_plaintext");
    properties.emplace_back("sasl.mechanisms", config.sasl.mechanism);
    properties.emplace_back("sasl.username", config.sasl.username);
    properties.emplace_back("sasl.password", config.sasl.password);
  } else {
    properties.emplace_back("security.protocol", config.tls.enabled ? "ssl" : "plaintext");
  }
  if (!config.tls.enabled) return;
  if (!config.tls.ca_file.empty()) properties.emplace_back("ssl.ca.location", config.tls.ca_file);
  if (!config.tls.cert_file.empty())
    properties.emplace_back("ssl.certificate.location", config.tls.cert_file);
  if (!config.tls.key_file.empty()) properties.emplace_back("ssl.key.location", config.tls.key_file);
  if (!config.tls.verify) {
    properties.emplace_back("enable.ssl.certificate.verification", "false");
    properties.emplace_back("ssl.endpoint.identification.algorithm", "none");
  }
}

}  // namespace

KafkaBatching kafka_batching(const KafkaSinkConfig& config) {
  KafkaBatching batching{config.batch.max_bytes, config.batch.max_events,
                         config.batch.linger.value_or(KafkaSinkConfig::kDefaultLinger)};
  // 1 MiB of messages is a batch just above what a broker accepts by default: finding that out would cost the
  // client a restart.
  if (batching.bytes_max > kBrokerBatchBytes && batching.bytes_max <= 1024 * 1024)
    batching.bytes_max = kBrokerBatchBytes;
  if (const auto bytes = number(option(config, {"batch.size"}))) batching.bytes_max = *bytes;
  if (const auto messages = number(option(config, {"batch.num.messages"}))) batching.messages_max = *messages;
  return batching;
}

std::uint64_t kafka_queue_messages(const KafkaSinkConfig& config) {
  return std::clamp(config.buffer.memory_bytes() / KafkaWindow::kMessageBytes, kQueueMessagesMin,
                    kQueueMessagesMax);
}

std::size_t kafka_producers_max(const KafkaSinkConfig& config) {
  if (config.parallel_producers) return *config.parallel_producers;
  return std::clamp<std::size_t>(usable_cores(), 1, KafkaSinkConfig::kProducersByItself);
}

KafkaProperties kafka_properties(const KafkaSinkConfig& config, const KafkaBatching& batching) {
  const auto milliseconds = [](Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
  };
  const auto fractional_milliseconds = [](Duration duration) {
    return std::to_string(std::chrono::duration<double, std::milli>(duration).count());
  };
  const bool idempotent = is_idempotent(config);
  KafkaProperties properties{
      {"bootstrap.servers", config.bootstrap_servers},
      {"client.id", "logflume"},
      {"acks", "all"},
      {"enable.idempotence", idempotent ? "true" : "false"},
      // A message waits for its broker without limit: what to give up is not the client's to decide.
      {"message.timeout.ms", "0"},
      {"compression.codec", std::string(compression_name(config.compression))},
      {"partitioner", config.partitioner},
      {"batch.size", std::to_string(std::clamp<std::uint64_t>(batching.bytes_max, 1, kMessageBytesMax))},
      {"batch.num.messages", std::to_string(std::clamp<std::uint64_t>(batching.messages_max, 1, 1'000'000))},
      {"queue.buffering.max.ms", fractional_milliseconds(std::clamp<Duration>(batching.linger, 0s, 900s))},
      // Bytes are bounded before they come here: by buffer.max_bytes, which admits at least one batch, and by
      // the memory budget. A second limit would refuse a message that is larger than itself for ever.
      {"queue.buffering.max.kbytes", "2147483647"},
      {"queue.buffering.max.messages", std::to_string(kafka_queue_messages(config))},
      {"message.max.bytes", std::to_string(kMessageBytesMax)},
      // No payload is copied, and request buffers stay small: they are sized by what is queued and would be
      // copied, up to message.max.bytes.
      {"message.copy.max.bytes", "0"},
      {"request.timeout.ms", milliseconds(std::clamp<Duration>(config.request_timeout, 1ms, 900s))},
      {"socket.timeout.ms", milliseconds(std::clamp<Duration>(config.request_timeout + 10s, 1s, 300s))},
      {"socket.nagle.disable", "true"},
      {"socket.keepalive.enable", "true"},
      {"reconnect.backoff.ms", milliseconds(std::clamp<Duration>(config.retry.initial, 1ms, 3600s))},
      {"reconnect.backoff.max.ms",
       milliseconds(std::clamp<Duration>(std::max(config.retry.initial, config.retry.max), 1ms, 3600s))},
      // A topic that is missing is reported so soon, and tried again by the sink.
      {"topic.metadata.propagation.max.ms", "3000"},
      {"statistics.interval.ms", "0"},
      {"log.queue", "true"},
      {"log.thread.name", "false"},
  };
  if (!idempotent) {
    // Order survives retries only with one request on its way.
    properties.emplace_back("max.in.flight.requests.per.connection", "1");
  }
  add_security(config, properties);
  for (const auto& [name, value] : config.options) {
    // Numbers are in `batching` already, which is what the sink knows and changes.
    const bool taken = (name == "batch.size" || name == "batch.num.messages") && number(&value);
    if (!taken) properties.emplace_back(name, value);
  }
  return properties;
}

std::vector<std::string> kafka_option_warnings(const KafkaSinkConfig& config) {
  std::vector<std::string> warnings;
  if (const std::string* acks = weak_acks(config)) {
    warnings.push_back("acks=" + *acks + ": lines that a broker has accepted can be lost with it");
  }
  if (!is_idempotent(config)) {
    warnings.push_back("without enable.idempotence a retry can deliver a line twice");
    const std::string* in_flight = option(config, {"max.in.flight.requests.per.connection", "max.in.flight"});
    if (in_flight != nullptr && *in_flight != "1") {
      warnings.push_back("max.in.flight=" + *in_flight +
                         " without idempotence: a retry can change the order of lines");
    }
  }
  if (const std::string* timeout = option(config, {"message.timeout.ms", "delivery.timeout.ms"});
      timeout != nullptr && *timeout != "0") {
    warnings.push_back("message.timeout.ms=" + *timeout +
                       ": a line whose time is up is sent again, though it may have arrived");
  }
  if (const std::string* strategy = option(config, {"queuing.strategy"});
      strategy != nullptr && *strategy == "lifo") {
    warnings.push_back("queuing.strategy=lifo: lines do not keep their order");
  }
  return warnings;
}

}  // namespace logflume
