// librdkafka's own mock cluster, in this process: a broker for the sink's tests that can be told to fail.
#pragma once

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace logflume {

struct KafkaRecord {
  std::int32_t partition = 0;
  std::string key;
  std::string value;
  std::map<std::string, std::string> headers;
};

class KafkaTestCluster {
 public:
  static constexpr std::int16_t kProduce = 0;  // ApiKeys
  static constexpr std::int16_t kInitProducerId = 22;

  explicit KafkaTestCluster(int brokers = 1) {
    char error[512];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", error, sizeof error);
    owner_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    cluster_ = rd_kafka_mock_cluster_new(owner_, brokers);
  }
  ~KafkaTestCluster() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(owner_);
  }
  KafkaTestCluster(const KafkaTestCluster&) = delete;
  KafkaTestCluster& operator=(const KafkaTestCluster&) = delete;

  rd_kafka_mock_cluster_t* handle() { return cluster_; }
  std::string bootstrap_servers() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }
  void create_topic(const char* name, int partitions) {
    ASSERT_EQ(rd_kafka_mock_topic_create(cluster_, name, partitions, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  // The next requests of this kind are answered so.
  void push_errors(std::int16_t api_key, const std::vector<rd_kafka_resp_err_t>& errors) {
    rd_kafka_mock_push_request_errors_array(cluster_, api_key, errors.size(), errors.data());
  }
  void set_down() { rd_kafka_mock_broker_set_down(cluster_, -1); }
  void set_up() { rd_kafka_mock_broker_set_up(cluster_, -1); }

  // What `partitions` of the topic hold, in each partition's order.
  std::vector<KafkaRecord> read(const std::string& topic, int partitions) {
    char error[512];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    for (const auto& [name, value] :
         std::vector<std::pair<std::string, std::string>>{{"bootstrap.servers", bootstrap_servers()},
                                                          {"group.id", "reader"},
                                                          {"enable.partition.eof", "true"},
                                                          {"enable.auto.commit", "false"},
                                                          {"fetch.wait.max.ms", "10"},
                                                          {"log_level", "0"}}) {
      EXPECT_EQ(rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error, sizeof error), RD_KAFKA_CONF_OK)
          << error;
    }
    rd_kafka_t* consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_partition_list_t* assigned = rd_kafka_topic_partition_list_new(partitions);
    for (int i = 0; i < partitions; ++i) {
      rd_kafka_topic_partition_list_add(assigned, topic.c_str(), i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    rd_kafka_assign(consumer, assigned);
    rd_kafka_topic_partition_list_destroy(assigned);
    std::vector<KafkaRecord> records;
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    for (int ended = 0; ended < partitions;) {
      if (std::chrono::steady_clock::now() > give_up) {
        ADD_FAILURE() << "the topic's end was not reached";
        break;
      }
      rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer, 100);
      if (message == nullptr) continue;
      if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        ++ended;
      } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        records.push_back(to_record(*message));
      }
      rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    return records;
  }

 private:
  static KafkaRecord to_record(const rd_kafka_message_t& message) {
    const auto text = [](const void* data, std::size_t size) {
      return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), size);
    };
    KafkaRecord record{
        message.partition, text(message.key, message.key_len), text(message.payload, message.len), {}};
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(&message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
      const char* name = nullptr;
      const void* value = nullptr;
      std::size_t size = 0;
      for (std::size_t i = 0;
           rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
        record.headers[name] = text(value, size);
      }
    }
    return record;
  }

  rd_kafka_t* owner_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

}  // namespace logflume
