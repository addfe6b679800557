// Goal:   what the sink takes arrives once, in order, whatever the broker answers; what never can is counted.
// Method: the sink on its own loop against librdkafka's mock cluster, which is told to fail; the topic is
// read
//         back by a consumer.
#include "sink/kafka_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "sink/fields_for_test.h"
#include "sink/kafka_check.h"
#include "sink/kafka_client.h"
#include "sink/kafka_test_cluster.h"
#include "sink/sink_test_fixture.h"

namespace logflume {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::vector<std::string> values(const std::vector<KafkaRecord>& records) {
  std::vector<std::string> out;
  for (const KafkaRecord& record : records) out.push_back(record.value);
  return out;
}

std::vector<std::string> numbered(int first, int count) {
  std::vector<std::string> lines;
  for (int i = 0; i < count; ++i) lines.push_back("line " + std::to_string(first + i));
  return lines;
}

std::string text_of(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

class KafkaSinkTest : public testing::Test {
 protected:
  KafkaSinkConfig config() {
    KafkaSinkConfig config;
    config.bootstrap_servers = cluster.bootstrap_servers();
    config.topic = "logs";
    config.encoding = Encoding::kRaw;
    config.batch.linger = 5ms;
    config.retry = {10ms, 50ms};
    return config;
  }

  void start(KafkaSinkConfig config) {
    harness = std::make_unique<SinkHarness>();
    sink = make_kafka_sink(std::move(config), harness->context());
    const auto opened = sink->open();
    ASSERT_TRUE(opened) << opened.error().text();
    harness->loop.add(*sink);
    harness->loop.start();
  }
  void stop() {
    if (!harness) return;
    harness->loop.stop();
    sink.reset();
    harness.reset();
  }
  void TearDown() override { stop(); }

  // False when it has not come true within a minute.
  bool eventually(const std::function<bool()>& condition) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      std::this_thread::sleep_for(1ms);
    }
    return true;
  }
  bool all_acked() {
    return eventually([&] { return harness->all_acked(); });
  }

  KafkaTestCluster cluster;
  std::unique_ptr<SinkHarness> harness;
  std::unique_ptr<Sink> sink;
};

TEST_F(KafkaSinkTest, DeliversEachLineAsAMessageInOrder) {
  cluster.create_topic("logs", 1);
  start(config());
  std::vector<std::string> sent;
  for (int i = 0; i < 50; ++i) {
    const auto lines = numbered(i * 100, 100);
    harness->send(text_of(lines));
    sent.insert(sent.end(), lines.begin(), lines.end());
  }
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(harness->metrics.received_events.value(), 5000u);
  EXPECT_EQ(harness->metrics.sent_events.value(), 5000u);
  EXPECT_EQ(harness->health().status, HealthStatus::kOk);
  EXPECT_EQ(values(cluster.read("logs", 1)), sent);
}

TEST_F(KafkaSinkTest, KeepsEmptyLinesOddBytesAndTheUnterminatedLast) {
  cluster.create_topic("logs", 1);
  start(config());
  const std::string odd("a\0b\xff\r", 5);
  harness->send("\n" + odd + "\nend");
  ASSERT_TRUE(all_acked());
  EXPECT_THAT(values(cluster.read("logs", 1)), ElementsAre("", odd, "end"));
}

// More than one producer can send at the pace at which the test hands over: the mock cluster takes its time
// until they share the backlog.
class KafkaSinkBacklogTest : public KafkaSinkTest {
 protected:
  static constexpr int kBatches = 120;
  static constexpr int kLinesEach = 500;

  // Sends a backlog until three producers share it, and as much again; returns what was sent.
  std::vector<std::string> send_backlog(KafkaSinkConfig config) {
    config.batch.max_bytes = 16 * 1024;
    config.parallel_producers = 3;
    rd_kafka_mock_broker_set_rtt(cluster.handle(), -1, 20);
    start(std::move(config));
    std::vector<std::string> sent;
    const auto send_some = [&] {
      for (int i = 0; i < kBatches; ++i) {
        const auto lines = numbered(static_cast<int>(sent.size()), kLinesEach);
        harness->send(text_of(lines));
        sent.insert(sent.end(), lines.begin(), lines.end());
      }
    };
    send_some();
    EXPECT_TRUE(eventually([&] { return producers() == 3; }));
    rd_kafka_mock_broker_set_rtt(cluster.handle(), -1, 0);
    send_some();
    return sent;
  }
  double producers() {
    return harness->registry.gauge("logflume_kafka_producers", "", {{"component", "out"}}).value();
  }
};

int number_of(const std::string& line) { return std::stoi(line.substr(line.rfind(' ') + 1)); }

TEST_F(KafkaSinkBacklogTest, IsSharedByProducersAndStaysInOrderInEachPartition) {
  cluster.create_topic("logs", 4);
  const auto sent = send_backlog(config());
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(producers(), 3);
  auto records = cluster.read("logs", 4);
  std::map<int, int> last;
  std::map<int, int> counts;
  for (const KafkaRecord& record : records) {
    const int number = number_of(record.value);
    const auto before = last.try_emplace(record.partition, -1).first;
    EXPECT_LT(before->second, number);
    before->second = number;
    ++counts[record.partition];
  }
  EXPECT_EQ(counts.size(), 4u);
  std::sort(records.begin(), records.end(), [](const KafkaRecord& a, const KafkaRecord& b) {
    return number_of(a.value) < number_of(b.value);
  });
  EXPECT_EQ(values(records), sent);
}

TEST_F(KafkaSinkBacklogTest, OfATopicWithOnePartitionGoesThroughOneProducer) {
  cluster.create_topic("logs", 1);
  const auto sent = send_backlog(config());
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(values(cluster.read("logs", 1)), sent);
}

TEST_F(KafkaSinkBacklogTest, WithAKeyStaysInOnePartition) {
  cluster.create_topic("logs", 4);
  KafkaSinkConfig keyed = config();
  keyed.key = "all of them";
  const auto sent = send_backlog(keyed);
  ASSERT_TRUE(all_acked());
  const auto records = cluster.read("logs", 4);
  EXPECT_EQ(values(records), sent);
}

class KafkaSinkCompressionTest : public KafkaSinkTest, public testing::WithParamInterface<Compression> {};

TEST_P(KafkaSinkCompressionTest, DeliversWithIt) {
  cluster.create_topic("logs", 1);
  KafkaSinkConfig with = config();
  with.compression = GetParam();
  start(with);
  const auto lines = numbered(0, 2000);
  harness->send(text_of(lines));
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(values(cluster.read("logs", 1)), lines);
}

INSTANTIATE_TEST_SUITE_P(AllCodecs, KafkaSinkCompressionTest,
                         testing::Values(Compression::kNone, Compression::kGzip, Compression::kSnappy,
                                         Compression::kLz4, Compression::kZstd));

TEST_F(KafkaSinkTest, EncodesJson) {
  cluster.create_topic("logs", 1);
  KafkaSinkConfig json = config();
  json.encoding = Encoding::kJson;
  json.labels = {{"env", "prod"}};
  start(json);
  harness->send("say \"hi\"\n");
  ASSERT_TRUE(all_acked());
  EXPECT_THAT(
      values(cluster.read("logs", 1)),
      ElementsAre(R"({"message":"say \"hi\"","file":"/var/log/app.log","source":"app",)"
                  R"("host":"host.example","timestamp":"2026-01-02T03:04:05.678901234Z","env":"prod"})"));
}

TEST_F(KafkaSinkTest, KeyKeepsAFileInOnePartitionInOrder) {
  cluster.create_topic("logs", 4);
  KafkaSinkConfig keyed = config();
  keyed.key = "{{ file }}";
  start(keyed);
  std::map<std::string, std::vector<std::string>> sent;
  for (int round = 0; round < 20; ++round) {
    for (int file = 1; file <= 8; ++file) {
      const std::string path = "/var/log/" + std::to_string(file);
      const auto lines = numbered(round * 10, 10);
      harness->send(text_of(lines), static_cast<std::uint64_t>(file), path);
      sent[path].insert(sent[path].end(), lines.begin(), lines.end());
    }
  }
  ASSERT_TRUE(all_acked());
  std::map<std::string, std::vector<std::string>> arrived;
  std::map<std::string, std::int32_t> partition;
  for (const KafkaRecord& record : cluster.read("logs", 4)) {
    arrived[record.key].push_back(record.value);
    EXPECT_EQ(partition.emplace(record.key, record.partition).first->second, record.partition);
  }
  EXPECT_EQ(arrived, sent);
}

TEST_F(KafkaSinkTest, RendersTopicAndHeaders) {
  KafkaSinkConfig templated = config();
  templated.topic = "logs-{{ file_name }}-%Y";
  templated.key = "k";
  templated.headers = {{"source", "{{ source }}"}, {"team", "web"}};
  cluster.create_topic("logs-my_app.log-2026", 1);
  start(templated);
  harness->send("x\ny\n", 1, "/var/log/my app.log");  // the space must not be in a topic's name
  ASSERT_TRUE(all_acked());
  const auto records = cluster.read("logs-my_app.log-2026", 1);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].value, "y");
  EXPECT_EQ(records[1].key, "k");
  EXPECT_EQ(records[1].headers, (std::map<std::string, std::string>{{"source", "app"}, {"team", "web"}}));
}

TEST_F(KafkaSinkTest, HeadersAreOfFieldsOfTheEvent) {
  cluster.create_topic("logs", 1);
  KafkaSinkConfig templated = config();
  templated.headers = {
      {"by", "{{ source }}"}, {"level", "{{ level }}"}, {"level-or", "<{{ level ?? none }}>"}};
  start(templated);
  Delivery delivery = harness->make_delivery("INFO a\nERROR b\nnone\nINFO c\n");
  delivery.batch = with_first_word(delivery.batch, "level", 2);
  harness->send(std::move(delivery));
  ASSERT_TRUE(all_acked());
  const auto records = cluster.read("logs", 1);
  ASSERT_EQ(values(records), (std::vector<std::string>{"INFO a", "ERROR b", "none", "INFO c"}));
  using Headers = std::map<std::string, std::string>;
  EXPECT_EQ(records[0].headers, (Headers{{"by", "app"}, {"level", "INFO"}, {"level-or", "<INFO>"}}));
  EXPECT_EQ(records[1].headers, (Headers{{"by", "app"}, {"level", "ERROR"}, {"level-or", "<ERROR>"}}));
  EXPECT_EQ(records[2].headers, (Headers{{"by", "app"}, {"level", ""}, {"level-or", "<none>"}}));
  EXPECT_EQ(records[3].headers, (Headers{{"by", "app"}, {"level", "INFO"}, {"level-or", "<INFO>"}}));
}

TEST_F(KafkaSinkTest, AFullClientQueueOnlySlowsItDown) {
  cluster.create_topic("logs", 1);
  KafkaSinkConfig small = config();
  small.options = {{"queue.buffering.max.messages", "10"}};
  start(small);
  const auto lines = numbered(0, 500);
  harness->send(text_of(lines));
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(values(cluster.read("logs", 1)), lines);
}

// -- The broker refuses -----------------------------------------------------------------------------------

TEST_F(KafkaSinkTest, ARefusedBatchIsSentAgainMessageByMessageInOrder) {
  cluster.create_topic("logs", 1);
  cluster.push_errors(KafkaTestCluster::kProduce, {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  KafkaSinkConfig one_batch = config();
  one_batch.batch.linger = 200ms;
  start(one_batch);
  const auto lines = numbered(0, 300);
  harness->send(text_of(lines));
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(values(cluster.read("logs", 1)), lines);
  EXPECT_EQ(harness->metrics.sent_events.value(), 300u);
  EXPECT_EQ(harness->discarded("msg_size_too_large"), 0u);
}

TEST_F(KafkaSinkTest, AMessageRefusedAloneIsCountedAndTheRestFlows) {
  cluster.create_topic("logs", 1);
  // The batch; then, one by one, the second and the third of it.
  cluster.push_errors(KafkaTestCluster::kProduce,
                      {RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR_NO_ERROR,
                       RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR_INVALID_RECORD});
  KafkaSinkConfig one_batch = config();
  one_batch.batch.linger = 200ms;
  one_batch.options = {{"max.in.flight", "1"}};  // so that the answers meet the messages in order
  start(one_batch);
  harness->send("a\nb\nc\nd\n");
  ASSERT_TRUE(all_acked());
  harness->send("e\n");
  ASSERT_TRUE(all_acked());
  EXPECT_THAT(values(cluster.read("logs", 1)), ElementsAre("a", "d", "e"));
  EXPECT_EQ(harness->discarded("invalid_record"), 2u);
  EXPECT_EQ(harness->metrics.sent_events.value(), 3u);
  EXPECT_EQ(harness->health().status, HealthStatus::kOk);
}

TEST_F(KafkaSinkTest, AMessageAsLargeAsABatchIsRefusedAtOnce) {
  cluster.create_topic("logs", 1);
  cluster.push_errors(KafkaTestCluster::kProduce, {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  KafkaSinkConfig small = config();
  small.batch.max_bytes = 1000;
  start(small);
  harness->send(std::string(2000, 'x') + "\n");
  ASSERT_TRUE(all_acked());
  harness->send("short\n");
  ASSERT_TRUE(all_acked());
  EXPECT_THAT(values(cluster.read("logs", 1)), ElementsAre("short"));
  EXPECT_EQ(harness->discarded("msg_size_too_large"), 1u);
}

// -- The broker is away or odd ----------------------------------------------------------------------------

TEST_F(KafkaSinkTest, WaitsForABrokerThatIsDownAndSaysSo) {
  cluster.create_topic("logs", 1);
  cluster.set_down();
  start(config());
  harness->send("a\nb\n");
  EXPECT_TRUE(eventually([&] { return harness->health().status == HealthStatus::kDegraded; }));
  EXPECT_FALSE(harness->health().message.empty());
  EXPECT_EQ(harness->acked(), 0u);
  cluster.set_up();
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(harness->health().status, HealthStatus::kOk);
  EXPECT_THAT(values(cluster.read("logs", 1)), ElementsAre("a", "b"));
}

TEST_F(KafkaSinkTest, RetriesOverABrokenConnectionWithoutLossOrRepetition) {
  cluster.create_topic("logs", 1);
  cluster.push_errors(KafkaTestCluster::kProduce,
                      {RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                       RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS});
  start(config());
  const auto lines = numbered(0, 1000);
  harness->send(text_of(lines));
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(values(cluster.read("logs", 1)), lines);
}

TEST_F(KafkaSinkTest, WaitsForATopicThatDoesNotExistYet) {
  cluster.create_topic("logs", 1);
  rd_kafka_mock_topic_set_error(cluster.handle(), "logs", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  KafkaSinkConfig quick = config();
  quick.options = {{"topic.metadata.propagation.max.ms", "50"}};
  start(quick);
  const auto lines = numbered(0, 100);
  harness->send(text_of(lines));
  EXPECT_TRUE(eventually([&] { return harness->health().status == HealthStatus::kDegraded; }));
  EXPECT_THAT(harness->health().message, HasSubstr("topic logs does not exist"));
  rd_kafka_mock_topic_set_error(cluster.handle(), "logs", RD_KAFKA_RESP_ERR_NO_ERROR);
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(values(cluster.read("logs", 1)), lines);
  EXPECT_EQ(harness->health().status, HealthStatus::kOk);
}

TEST_F(KafkaSinkTest, MakesANewClientAfterAFatalError) {
  cluster.create_topic("logs", 1);
  cluster.push_errors(KafkaTestCluster::kInitProducerId, {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED});
  start(config());
  const auto lines = numbered(0, 100);
  harness->send(text_of(lines));
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(values(cluster.read("logs", 1)), lines);
  EXPECT_GE(
      harness->registry.counter("logflume_kafka_client_restarts_total", "", {{"component", "out"}}).value(),
      1u);
}

TEST_F(KafkaSinkTest, ALostTopicPermissionIsRetried) {
  cluster.create_topic("logs", 1);
  cluster.push_errors(KafkaTestCluster::kProduce, {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  start(config());
  const auto lines = numbered(0, 100);
  harness->send(text_of(lines));
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(values(cluster.read("logs", 1)), lines);
  EXPECT_GE(harness->errors("topic_authorization_failed"), 100u);
  EXPECT_EQ(harness->metrics.retries().value(), harness->errors("topic_authorization_failed"));
}

// Goal: a topic that does not exist stops no other, of the same sink and behind it.
// Method: its lines come first; the others must arrive while it is still missing.
TEST_F(KafkaSinkTest, AMissingTopicDoesNotStallTheOthers) {
  cluster.create_topic("missing.log", 1);
  cluster.create_topic("good.log", 1);
  rd_kafka_mock_topic_set_error(cluster.handle(), "missing.log", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  KafkaSinkConfig by_file = config();
  by_file.topic = "{{ file_name }}";
  by_file.options = {{"topic.metadata.propagation.max.ms", "300"}};
  start(by_file);
  const auto missing = numbered(0, 100);
  harness->send(text_of(missing), 1, "/missing.log");
  std::vector<std::string> good;
  const auto send_good = [&] {
    const auto lines = numbered(static_cast<int>(good.size()), 10);
    harness->send(text_of(lines), 2, "/good.log");
    good.insert(good.end(), lines.begin(), lines.end());
  };
  send_good();
  ASSERT_TRUE(eventually([&] { return harness->errors("unknown_topic_or_part") > 0; }));
  EXPECT_THAT(harness->health().message, HasSubstr("topic missing.log does not exist"));
  for (int round = 0; round < 50; ++round) {
    send_good();
    std::this_thread::sleep_for(10ms);
  }
  ASSERT_TRUE(eventually([&] { return harness->acked(2) == text_of(good).size(); }));
  EXPECT_EQ(harness->acked(1), 0u);
  EXPECT_EQ(harness->health().status, HealthStatus::kDegraded) << "still, though others are delivered";
  EXPECT_THAT(harness->health().message, HasSubstr("missing.log"));

  rd_kafka_mock_topic_set_error(cluster.handle(), "missing.log", RD_KAFKA_RESP_ERR_NO_ERROR);
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(values(cluster.read("missing.log", 1)), missing);
  EXPECT_EQ(values(cluster.read("good.log", 1)), good);
  EXPECT_EQ(harness->health().status, HealthStatus::kOk);
  EXPECT_EQ(
      harness->registry.counter("logflume_kafka_client_restarts_total", "", {{"component", "out"}}).value(),
      0u);
}

TEST_F(KafkaSinkTest, ARefusedTopicIsCountedAndTheOthersFlow) {
  cluster.create_topic("bad.log", 1);
  cluster.create_topic("good.log", 1);
  KafkaSinkConfig by_file = config();
  by_file.topic = "{{ file_name }}";
  start(by_file);
  cluster.push_errors(KafkaTestCluster::kProduce, {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION});
  harness->send("a\nb\n", 1, "/bad.log");
  ASSERT_TRUE(all_acked());
  harness->send("c\n", 2, "/good.log");
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(harness->discarded("topic_exception"), 2u);
  EXPECT_THAT(values(cluster.read("good.log", 1)), ElementsAre("c"));
  EXPECT_EQ(harness->health().status, HealthStatus::kOk);
}

// -- Stop and memory --------------------------------------------------------------------------------------

TEST_F(KafkaSinkTest, DrainDoesNotWaitForTheLinger) {
  cluster.create_topic("logs", 1);
  KafkaSinkConfig slow = config();
  slow.batch.linger = std::chrono::minutes(10);
  start(slow);
  harness->send("a\nb\n");
  ASSERT_TRUE(eventually([&] {
    return harness->registry.gauge("logflume_kafka_queue_messages", "", {{"component", "out"}}).value() == 2;
  }));
  harness->loop.post([&] { sink->drain(); });
  ASSERT_TRUE(all_acked());
  EXPECT_THAT(values(cluster.read("logs", 1)), ElementsAre("a", "b"));
}

TEST_F(KafkaSinkTest, EndsWithUndeliveredMessagesAndAcknowledgesNone) {
  cluster.set_down();
  start(config());
  harness->send("a\nb\n");
  ASSERT_TRUE(eventually([&] { return harness->metrics.received_events.value() == 2; }));
  harness->loop.stop();
  EXPECT_FALSE(sink->drained());
  sink.reset();
  EXPECT_EQ(harness->acked(), 0u);
  EXPECT_EQ(harness->metrics.sent_events.value(), 0u);
}

TEST_F(KafkaSinkTest, GivesItsMemoryBack) {
  cluster.create_topic("logs", 1);
  KafkaSinkConfig json = config();
  json.encoding = Encoding::kJson;
  start(json);
  const std::size_t before = harness->budget.used_bytes();
  harness->send(text_of(numbered(0, 5000)));
  ASSERT_TRUE(all_acked());
  harness->loop.stop();
  EXPECT_TRUE(sink->drained());
  harness->slabs.trim();
  EXPECT_EQ(harness->budget.used_bytes(), before);
}

// -- Configuration ----------------------------------------------------------------------------------------

class KafkaSinkOpenTest : public KafkaSinkTest {
 protected:
  std::string error_of(KafkaSinkConfig config) {
    SinkHarness fresh;
    const auto opened = make_kafka_sink(std::move(config), fresh.context())->open();
    return opened ? "" : opened.error().text();
  }
};

TEST_F(KafkaSinkOpenTest, NamesWhatIsWrong) {
  const auto with_option = [&](const std::string& name, const std::string& value) {
    KafkaSinkConfig config = this->config();
    config.options = {{name, value}};
    return error_of(config);
  };
  EXPECT_EQ(with_option("socket.send.buffer.bytes", "100000"), "");
  EXPECT_THAT(with_option("socket.send.bufer.bytes", "1"), HasSubstr("socket.send.bufer.bytes"));
  EXPECT_THAT(with_option("linger.ms", "soon"), HasSubstr("linger.ms"));
  EXPECT_THAT(with_option("delivery.report.only.error", "true"), HasSubstr("delivery.report.only.error"));
  EXPECT_THAT(with_option("transactional.id", "t"), HasSubstr("transactional.id"));

  KafkaSinkConfig partitioner = config();
  partitioner.partitioner = "roundrobin";
  EXPECT_THAT(error_of(partitioner), HasSubstr("partitioner"));
  KafkaSinkConfig topic = config();
  topic.topic = "a/b";
  EXPECT_THAT(error_of(topic), HasSubstr("topic: \"a/b\""));
  KafkaSinkConfig field = config();
  field.key = "{{ fie ld }}";
  EXPECT_THAT(error_of(field), HasSubstr("key"));
  KafkaSinkConfig ca = config();
  ca.tls.enabled = true;
  ca.tls.ca_file = "/nonexistent/ca.pem";
  EXPECT_THAT(error_of(ca), HasSubstr("ssl.ca.location"));
}

TEST_F(KafkaSinkOpenTest, WhatOnlyAStartFindsOutNamesItsKey) {
  const auto faults_of = [](KafkaSinkConfig config) {
    std::string all;
    for (const SettingFault& fault : kafka_start_faults(config))
      all += fault.key + " | " + fault.message + "\n";
    return all;
  };
  EXPECT_EQ(faults_of(config()), "");
  KafkaSinkConfig options = config();
  options.options = {{"acks", "1"}};
  EXPECT_EQ(faults_of(options), "");
  options.options = {{"acks", "1"}, {"enable.idempotence", "true"}};
  EXPECT_THAT(faults_of(options),
              StartsWith("options.enable.idempotence | options.enable.idempotence: `acks` must"));
  KafkaSinkConfig ca = config();
  ca.tls.enabled = true;
  ca.tls.ca_file = "/nonexistent/ca.pem";
  EXPECT_THAT(faults_of(ca), StartsWith("tls.ca_file | tls.ca_file: ssl.ca.location failed"));
}

// librdkafka loads the library as soon as the property is set.
TEST_F(KafkaSinkOpenTest, AForbiddenOptionIsNotEvenTried) {
  KafkaSinkConfig plugin = config();
  plugin.options = {{"plugin.library.paths", "/nonexistent.so"}};
  const auto faults = kafka_faults(plugin);
  ASSERT_EQ(faults.size(), 1u) << faults.back().message;
  EXPECT_EQ(faults[0].message, "options.plugin.library.paths cannot be set: plugins are not loaded");
}

TEST_F(KafkaSinkOpenTest, WarnsOfOptionsThatWeakenDelivery) {
  KafkaSinkConfig weak = config();
  EXPECT_TRUE(kafka_option_warnings(weak).empty());
  weak.options = {{"acks", "1"}};
  EXPECT_EQ(kafka_option_warnings(weak).size(), 2u);  // and idempotence goes with it
  EXPECT_EQ(error_of(weak), "");
  weak.options = {{"message.timeout.ms", "1000"}};
  EXPECT_EQ(kafka_option_warnings(weak).size(), 1u);
}

}  // namespace
}  // namespace logflume
