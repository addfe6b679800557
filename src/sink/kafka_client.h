// librdkafka's producers: their properties from our configuration, and which of them a message goes through.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "ring/parker.h"
#include "sink/kafka_partitions.h"
#include "sink/kafka_producer.h"
#include "sink/kafka_window.h"
#include "sink/sink_config.h"

namespace logflume {

// How a producer is to batch; the sink changes it while it finds out what a broker accepts.
struct KafkaBatching {
  std::uint64_t bytes_max = 0;
  std::uint64_t messages_max = 0;  // 1: each message travels alone
  Duration linger{};
};

// What the configuration asks for, `options` included.
KafkaBatching kafka_batching(const KafkaSinkConfig& config);

// Messages that may wait in the client: bounds its memory beside the payloads.
std::uint64_t kafka_queue_messages(const KafkaSinkConfig& config);

// How many producers may share the work.
std::size_t kafka_producers_max(const KafkaSinkConfig& config);

// In the order in which they are set: ours, then `options`, which override them. What librdkafka may not
// accept is found by kafka_faults() (sink/kafka_check.h).
KafkaProperties kafka_properties(const KafkaSinkConfig& config, const KafkaBatching& batching);

// Sentences for the log about options that weaken what the sink guarantees.
std::vector<std::string> kafka_option_warnings(const KafkaSinkConfig& config);

// One producer, or several that share the work: each compresses and sends on a thread of its own.
//
// A partition of a topic is written to by one producer, and so are all messages with one key: what is in
// order in a partition stays so. With several, a topic without keys is shared out partition by partition; one
// with fewer than two partitions, or more topics than kSharedTopicsMax, go each through one of them.
//
// Threads:   one, but has_events().
// Ownership: payloads are not copied: they stay where they are until their report has come or the client is
//            destroyed.
class KafkaClient {
 public:
  static constexpr std::size_t kSharedTopicsMax = 64;

  // `wake` is woken when poll() has something to do.
  // Errors: kInvalidArgument: names the property that librdkafka does not know or accept.
  static Result<std::unique_ptr<KafkaClient>> create(const KafkaSinkConfig& config,
                                                     const KafkaBatching& batching, std::size_t producers,
                                                     Parker& wake);

  bool has_events() const;
  // Handles at most `events_max` events of each producer; returns how many there were.
  std::size_t poll(KafkaListener& listener, std::size_t events_max);
  // As KafkaProducer::produce(). Asks for a topic's partitions, where that matters: blocks for at most a
  // second, once a topic.
  std::uint32_t produce(const KafkaWindow::Run& run, std::uint32_t end, std::vector<KafkaReport>& refused);
  // As KafkaProducer::ask_message_limit().
  void ask_message_limit(const std::string& topic);

  std::size_t producers() const { return producers_.size(); }
  // Messages taken whose report has not come yet, and their payloads.
  std::size_t outstanding() const;
  std::uint64_t outstanding_bytes() const;
  // What waits in the client is reported as purged; with `in_flight` also what is on its way to a broker.
  void purge(bool in_flight);
  // Sends what waits for its linger. Blocks for at most `wait`.
  void flush(Duration wait);

 private:
  // How the producers share a topic; by producer, fewer than two where one has all of it.
  using Shares = std::vector<std::unique_ptr<KafkaPartitionShare>>;

  KafkaClient(const KafkaSinkConfig& config, const KafkaBatching& batching);
  const Shares& shares_of(const std::string& topic);

  const std::string partitioner_;
  const Duration sticky_;  // how long messages without a key go to the same partition
  std::unordered_map<std::string, Shares> shares_;
  std::vector<std::unique_ptr<KafkaPartitionShare>> whole_;  // of topics that are not shared, by producer
  std::vector<std::unique_ptr<KafkaProducer>> producers_;    // go before what they choose partitions by
};

}  // namespace logflume
