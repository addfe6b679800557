// What bare librdkafka does with the lines of a file: the limit of the kafka sink, with nothing of logflume
// in it. 256 KiB are read at a time, cut at newlines, handed over without a copy, idempotent, with the sink's
// properties; a block is read into again when all its messages are acknowledged.
//
//   kafka_limit FILE [--compression C] [--bootstrap HOST:PORT --topic NAME] [--inflight-megabytes N]
//               [--property NAME=VALUE]...
//
// Without --bootstrap the broker is librdkafka's mock cluster, in this process, as in the agent's bench.
// Prints one JSON object: bytes, lines, partitions, seconds (first message to last acknowledgement).
#include <fcntl.h>
#include <librdkafka/rdkafka.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t kBlockBytes = 256 * 1024;  // as the agent's slabs

struct Options {
  std::string path;
  std::string compression = "snappy";
  std::string bootstrap;
  std::string topic = "logs";
  std::size_t inflight_megabytes = 16;  // as the sink's buffer
  std::vector<std::pair<std::string, std::string>> properties;
};

[[noreturn]] void fail(std::string_view what) {
  std::fprintf(stderr, "kafka_limit: %.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

struct Block {
  std::unique_ptr<char[]> data = std::make_unique<char[]>(kBlockBytes);
  std::size_t outstanding = 0;
};

class Limit {
 public:
  explicit Limit(const Options& options) : blocks_(options.inflight_megabytes * 1024 * 1024 / kBlockBytes) {
    for (Block& block : blocks_) free_.push_back(&block);
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    const bool mock = options.bootstrap.empty();
    if (mock) set(conf, "test.mock.num.brokers", "1");
    set(conf, "bootstrap.servers", mock ? "mock" : options.bootstrap);
    set(conf, "enable.idempotence", "true");
    set(conf, "compression.codec", options.compression);
    set(conf, "linger.ms", "50");
    set(conf, "batch.size", "1048576");
    set(conf, "batch.num.messages", "10000");
    set(conf, "queue.buffering.max.kbytes", "2097151");
    set(conf, "queue.buffering.max.messages", "1000000");
    set(conf, "message.copy.max.bytes", "0");
    set(conf, "message.max.bytes", "100000000");
    set(conf, "socket.nagle.disable", "true");
    set(conf, "log_level", "3");
    for (const auto& [name, value] : options.properties) set(conf, name, value);
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR);
    char error[512];
    producer_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (producer_ == nullptr) fail(error);
    topic_ = rd_kafka_topic_new(producer_, options.topic.c_str(), nullptr);
    queue_ = rd_kafka_queue_get_main(producer_);
  }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;
  ~Limit() {
    rd_kafka_queue_destroy(queue_);
    rd_kafka_topic_destroy(topic_);
    rd_kafka_destroy(producer_);
  }

  void run(const char* path) {
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail(path);
    const auto begin = std::chrono::steady_clock::now();
    off_t offset = 0;
    for (bool end = false; !end || free_.size() < blocks_.size();) {
      if (end || free_.empty()) {
        take_reports(100);
        continue;
      }
      Block& block = *free_.back();
      const ssize_t n = ::pread(fd, block.data.get(), kBlockBytes, offset);
      if (n < 0) fail("read");
      const std::string_view text(block.data.get(), static_cast<std::size_t>(n));
      const std::size_t whole = text.rfind('\n') + 1;  // what follows is read again
      end = whole == 0;
      if (end) continue;
      offset += static_cast<off_t>(whole);
      free_.pop_back();
      send(block, text.substr(0, whole));
      take_reports(0);
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    ::close(fd);
    std::printf("{\"bytes\": %llu, \"lines\": %llu, \"partitions\": %d, \"seconds\": %.6f}\n",
                static_cast<unsigned long long>(offset), static_cast<unsigned long long>(lines_),
                partitions(), seconds.count());
  }

 private:
  static void set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
    char error[512];
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error, sizeof error) != RD_KAFKA_CONF_OK)
      fail(error);
  }

  void send(Block& block, std::string_view text) {
    messages_.clear();
    while (!text.empty()) {
      const std::size_t length = text.find('\n');
      rd_kafka_message_t& message = messages_.emplace_back();
      message.payload = const_cast<char*>(text.data());  // only read without RD_KAFKA_MSG_F_FREE and _COPY
      message.len = length;
      message._private = &block;
      text.remove_prefix(length + 1);
    }
    block.outstanding = messages_.size();
    lines_ += messages_.size();
    const int taken = rd_kafka_produce_batch(topic_, RD_KAFKA_PARTITION_UA, 0, messages_.data(),
                                             static_cast<int>(messages_.size()));
    if (taken != static_cast<int>(messages_.size())) fail(rd_kafka_err2str(messages_.back().err));
  }

  void take_reports(int timeout_ms) {
    rd_kafka_event_t* event = rd_kafka_queue_poll(queue_, timeout_ms);
    if (event == nullptr) return;
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR) {
      reports_.resize(rd_kafka_event_message_count(event));
      const std::size_t count = rd_kafka_event_message_array(event, reports_.data(), reports_.size());
      for (std::size_t i = 0; i < count; ++i) {
        if (reports_[i]->err != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_err2str(reports_[i]->err));
        auto* block = static_cast<Block*>(reports_[i]->_private);
        if (--block->outstanding == 0) free_.push_back(block);
      }
    }
    rd_kafka_event_destroy(event);
  }

  int partitions() const {
    const rd_kafka_metadata_t* metadata = nullptr;
    if (rd_kafka_metadata(producer_, 0, topic_, &metadata, 5000) != RD_KAFKA_RESP_ERR_NO_ERROR) return 0;
    const int count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    return count;
  }

  rd_kafka_t* producer_ = nullptr;
  rd_kafka_topic_t* topic_ = nullptr;
  rd_kafka_queue_t* queue_ = nullptr;
  std::vector<Block> blocks_;
  std::vector<Block*> free_;
  std::vector<rd_kafka_message_t> messages_;
  std::vector<const rd_kafka_message_t*> reports_;
  std::uint64_t lines_ = 0;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (!name.starts_with("--")) {
      options.path = name;
      continue;
    }
    if (i + 1 >= argc) fail("expected --NAME VALUE; see the head of kafka_limit.cc");
    const std::string value = argv[++i];
    if (name == "--compression") {
      options.compression = value;
    } else if (name == "--bootstrap") {
      options.bootstrap = value;
    } else if (name == "--topic") {
      options.topic = value;
    } else if (name == "--inflight-megabytes") {
      options.inflight_megabytes = std::strtoul(value.c_str(), nullptr, 10);
    } else if (name == "--property" && value.find('=') != std::string::npos) {
      const std::size_t equals = value.find('=');
      options.properties.emplace_back(value.substr(0, equals), value.substr(equals + 1));
    } else {
      fail("unknown option " + std::string(name) + " " + value);
    }
  }
  if (options.path.empty()) fail("expected a FILE; see the head of kafka_limit.cc");
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  Limit limit(options);
  limit.run(options.path.c_str());
}
