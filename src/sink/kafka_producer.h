// One instance of librdkafka's producer, its events on our thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "ring/parker.h"
#include "sink/kafka_partitions.h"
#include "sink/kafka_window.h"

struct rd_kafka_s;
struct rd_kafka_op_s;
struct rd_kafka_queue_s;
struct rd_kafka_topic_s;
struct rd_kafka_message_s;

namespace logflume {

using KafkaProperties = std::vector<std::pair<std::string, std::string>>;

// What became of a message. The codes are librdkafka's.
struct KafkaReport {
  KafkaTag tag;
  int error = 0;  // 0: acknowledged
  std::uint32_t payload_bytes = 0;
  std::uint32_t key_bytes = 0;
};

// Called from within poll().
class KafkaListener {
 public:
  virtual ~KafkaListener() = default;
  virtual void on_reports(std::span<const KafkaReport> reports) = 0;
  // Answers ask_message_limit(): `bytes` when `error` is 0.
  virtual void on_message_limit(const std::string& topic, int error, std::uint64_t bytes) = 0;
  // A broker's or the client's trouble. `fatal`: this client will deliver nothing more.
  virtual void on_error(int error, std::string_view text, bool fatal) = 0;
  // `level` as syslog counts it (3: error, 4: warning).
  virtual void on_log(int level, std::string_view facility, std::string_view text) = 0;
};

// Threads:   one, but has_events(). librdkafka's own threads send, compress and wait for answers.
// Ownership: payloads are not copied: they stay where they are until their report has come or the client is
//            destroyed.
class KafkaProducer {
 public:
  // `wake` is woken when poll() has something to do.
  // Errors: kInvalidArgument: names the property that librdkafka does not know or accept.
  static Result<std::unique_ptr<KafkaProducer>> create(const KafkaProperties& properties, Parker& wake);
  // Drops what is queued and in flight: without a report it may or may not have arrived.
  ~KafkaProducer();
  KafkaProducer(const KafkaProducer&) = delete;
  KafkaProducer& operator=(const KafkaProducer&) = delete;

  bool has_events() const { return has_events_.load(std::memory_order_acquire); }
  // Handles at most `events_max` events; returns how many there were.
  std::size_t poll(KafkaListener& listener, std::size_t events_max);

  // Hands messages [run.begin, end) of a chunk over. Returns the position behind the last one that was taken
  // or refused for itself; what follows is refused because the client's queue is full. A refused one is
  // appended to `refused`, as if it had been reported. `share`: chooses the partition; null: librdkafka does.
  // Of one topic always the same, and it outlives this producer.
  std::uint32_t produce(const KafkaWindow::Run& run, std::uint32_t end, KafkaPartitionShare* share,
                        std::vector<KafkaReport>& refused);
  // How many partitions the topic has; none when no broker says so within `wait`. Blocks. `share` as above.
  std::optional<std::int32_t> partitions(const std::string& topic, KafkaPartitionShare& share, Duration wait);

  // Asks the broker that the last report came from how large a batch the topic accepts. Answered by poll(),
  // perhaps with an error. REQUIRES: a message was acknowledged.
  void ask_message_limit(const std::string& topic);

  // Messages taken whose report has not come yet.
  std::size_t outstanding() const { return outstanding_; }
  std::uint64_t outstanding_bytes() const { return outstanding_bytes_; }
  // Some message was acknowledged: there is a broker to ask.
  bool has_delivered() const { return last_broker_ >= 0; }
  // What waits in the client is reported as purged; with `in_flight` also what is on its way to a broker.
  void purge(bool in_flight);
  // Sends what waits for its linger. Blocks for at most `wait`.
  void flush(Duration wait);

 private:
  KafkaProducer() = default;
  rd_kafka_topic_s* topic(const std::string& name, KafkaPartitionShare* share, int& error);
  std::uint32_t produce_batch(rd_kafka_topic_s* topic, const KafkaWindow::Run& run, std::uint32_t end,
                              std::vector<KafkaReport>& refused);
  std::uint32_t produce_with_headers(rd_kafka_topic_s* topic, const KafkaWindow::Run& run, std::uint32_t end,
                                     std::vector<KafkaReport>& refused);
  void report(const rd_kafka_message_s* const* messages, std::size_t count, KafkaListener& listener);
  void report_limit(rd_kafka_op_s* event, KafkaListener& listener);
  static void on_queue_ready(rd_kafka_s* client, void* self);

  struct CachedTopic {
    rd_kafka_topic_s* handle;
    std::list<std::string>::iterator age;
  };

  rd_kafka_s* client_ = nullptr;
  rd_kafka_queue_s* queue_ = nullptr;
  Parker* wake_ = nullptr;
  std::atomic<bool> has_events_{false};  // set by librdkafka's threads before they wake
  std::size_t outstanding_ = 0;
  std::uint64_t outstanding_bytes_ = 0;  // their payloads
  std::int32_t last_broker_ = -1;        // that acknowledged something
  std::unordered_map<std::string, CachedTopic> topics_;
  std::list<std::string> topic_ages_;  // most recently used first
  std::vector<std::string> asked_;     // topics whose limit was asked for; what is answered is empty
  std::vector<rd_kafka_message_s> batch_;
  std::vector<const rd_kafka_message_s*> reported_;
  std::vector<KafkaReport> reports_;
};

}  // namespace logflume
