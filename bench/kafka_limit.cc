// Question: how fast is bare librdkafka with 512 B lines, zero copy and idempotent, into its own mock
// cluster? That is the limit which the kafka sink is measured against; nothing of logflume is in it.
//
//   kafka_limit [--compression C,...] [--partitions N,...] [--line-bytes N] [--megabytes N] [--repeat N]
//               [--single] [--inflight-megabytes N] [--property NAME=VALUE]...
//
// Prints one line a case: compression, partitions, MB/s (median, lowest, highest), CPU seconds a GB, peak
// RSS. The mock cluster runs in this process: its thread's work is part of the figure, as it is in the
// agent's bench.
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

struct Options {
  std::vector<std::string> compressions{"none", "snappy", "lz4", "zstd", "gzip"};
  std::vector<int> partitions{1, 4};
  std::size_t line_bytes = 512;
  std::size_t megabytes = 1000;
  std::size_t inflight_megabytes = 16;
  int repeat = 3;
  bool single = false;  // rd_kafka_produce() a message instead of rd_kafka_produce_batch()
  std::vector<std::pair<std::string, std::string>> properties;
};

constexpr std::size_t kBlockBytes = 256 * 1024;  // as the agent's slabs

[[noreturn]] void fail(std::string_view what) {
  std::fprintf(stderr, "kafka_limit: %.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

// Application log lines: a timestamp, a level, some identifiers that do not compress and words that do.
std::string make_line(std::mt19937_64& random, std::size_t line_bytes, std::uint64_t number) {
  static constexpr const char* kWords[] = {
      "request",  "handled", "upstream", "connection", "timeout",  "payment",   "customer", "accepted",
      "retrying", "session", "cache",    "warehouse",  "checkout", "inventory", "shipment", "completed"};
  char head[160];
  const int head_bytes = std::snprintf(
      head, sizeof head,
      "2026-01-02T03:%02u:%02u.%06uZ INFO [worker-%u] order-service trace=%016llx span=%08x user=%u ",
      static_cast<unsigned>(number / 60 % 60), static_cast<unsigned>(number % 60),
      static_cast<unsigned>(random() % 1'000'000), static_cast<unsigned>(random() % 16),
      static_cast<unsigned long long>(random()), static_cast<unsigned>(random()),
      static_cast<unsigned>(random() % 100'000));
  std::string line(head, static_cast<std::size_t>(head_bytes));
  while (line.size() < line_bytes) {
    line += kWords[random() % std::size(kWords)];
    line += random() % 8 == 0 ? "=" + std::to_string(random() % 1'000'000) + " " : " ";
  }
  line.resize(line_bytes - 1);
  return line;
}

struct Handles {
  rd_kafka_t* producer = nullptr;
  rd_kafka_topic_t* topic = nullptr;
  rd_kafka_queue_t* queue = nullptr;
};

void set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  char error[512];
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error, sizeof error) != RD_KAFKA_CONF_OK)
    fail(error);
}

Handles make_producer(const std::string& compression, int partitions, const Options& options) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  set(conf, "test.mock.num.brokers", "1");
  set(conf, "bootstrap.servers", "mock");
  set(conf, "enable.idempotence", "true");
  set(conf, "compression.codec", compression);
  set(conf, "linger.ms", "50");
  set(conf, "batch.size", "1048576");
  set(conf, "batch.num.messages", "10000");
  set(conf, "queue.buffering.max.kbytes", "2097151");
  set(conf, "queue.buffering.max.messages", "1000000");
  set(conf, "log_level", "3");
  for (const auto& [name, value] : options.properties) set(conf, name, value);
  rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR);
  char error[512];
  Handles handles;
  handles.producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
  if (handles.producer == nullptr) fail(error);
  rd_kafka_mock_cluster_t* cluster = rd_kafka_handle_mock_cluster(handles.producer);
  if (rd_kafka_mock_topic_create(cluster, "limit", partitions, 1) != RD_KAFKA_RESP_ERR_NO_ERROR)
    fail("topic");
  handles.topic = rd_kafka_topic_new(handles.producer, "limit", nullptr);
  handles.queue = rd_kafka_queue_get_main(handles.producer);
  return handles;
}

// Takes delivery reports for at most `timeout_ms`; returns how many messages they were for.
std::size_t take_reports(rd_kafka_queue_t* queue, int timeout_ms,
                         std::vector<const rd_kafka_message_t*>& scratch) {
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, timeout_ms);
  if (event == nullptr) return 0;
  std::size_t reported = 0;
  if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR) {
    scratch.resize(rd_kafka_event_message_count(event));
    reported = rd_kafka_event_message_array(event, scratch.data(), scratch.size());
    for (std::size_t i = 0; i < reported; ++i) {
      if (scratch[i]->err != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_err2str(scratch[i]->err));
    }
  }
  rd_kafka_event_destroy(event);
  return reported;
}

// MB/s of payload, from the first produce call to the last delivery report.
double run_once(const Handles& handles, const std::string& text, const Options& options) {
  const std::size_t lines_per_block = kBlockBytes / options.line_bytes;
  const std::size_t blocks = text.size() / kBlockBytes;
  const std::size_t total_lines = options.megabytes * 1'000'000 / options.line_bytes;
  const std::size_t inflight_max = options.inflight_megabytes * 1024 * 1024 / options.line_bytes;
  std::vector<rd_kafka_message_t> messages(lines_per_block);
  std::vector<const rd_kafka_message_t*> scratch;
  std::size_t produced = 0;
  std::size_t reported = 0;
  std::size_t block = 0;
  const auto begin = std::chrono::steady_clock::now();
  while (reported < total_lines) {
    if (produced < total_lines && produced - reported + lines_per_block <= inflight_max) {
      const char* data = text.data() + block % blocks * kBlockBytes;
      ++block;
      if (options.single) {
        for (std::size_t i = 0; i < lines_per_block; ++i) {
          char* payload = const_cast<char*>(data + i * options.line_bytes);
          if (rd_kafka_produce(handles.topic, RD_KAFKA_PARTITION_UA, 0, payload, options.line_bytes - 1,
                               nullptr, 0, nullptr) != 0) {
            fail(rd_kafka_err2str(rd_kafka_last_error()));
          }
        }
      } else {
        for (std::size_t i = 0; i < lines_per_block; ++i) {
          messages[i] = {};
          messages[i].payload = const_cast<char*>(data + i * options.line_bytes);
          messages[i].len = options.line_bytes - 1;
        }
        const int taken = rd_kafka_produce_batch(handles.topic, RD_KAFKA_PARTITION_UA, 0, messages.data(),
                                                 static_cast<int>(lines_per_block));
        if (taken != static_cast<int>(lines_per_block)) fail(rd_kafka_err2str(messages.back().err));
      }
      produced += lines_per_block;
      reported += take_reports(handles.queue, 0, scratch);
    } else {
      reported += take_reports(handles.queue, 100, scratch);
    }
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return static_cast<double>(reported * options.line_bytes) / 1e6 / seconds;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double peak_rss_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void run_case(const std::string& compression, int partitions, const std::string& text,
              const Options& options) {
  const Handles handles = make_producer(compression, partitions, options);
  Options warm_up = options;
  warm_up.megabytes = std::max<std::size_t>(options.megabytes / 20, 20);
  run_once(handles, text, warm_up);
  std::vector<double> rates;
  const double cpu_before = cpu_seconds();
  for (int i = 0; i < options.repeat; ++i) rates.push_back(run_once(handles, text, options));
  const double gigabytes = static_cast<double>(options.megabytes) / 1000 * options.repeat;
  const double cpu = (cpu_seconds() - cpu_before) / gigabytes;
  std::sort(rates.begin(), rates.end());
  std::printf("%-7s %d partitions: %6.0f MB/s (%.0f to %.0f), %.2f CPU s/GB, peak RSS %.0f MiB\n",
              compression.c_str(), partitions, rates[rates.size() / 2], rates.front(), rates.back(), cpu,
              peak_rss_mib());
  std::fflush(stdout);
  rd_kafka_queue_destroy(handles.queue);
  rd_kafka_topic_destroy(handles.topic);
  rd_kafka_destroy(handles.producer);
}

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> parts;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    parts.emplace_back(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
  return parts;
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--single") {
      options.single = true;
      continue;
    }
    if (i + 1 >= argc) fail("expected --NAME VALUE; see the head of kafka_limit.cc");
    const std::string value = argv[++i];
    if (name == "--compression") {
      options.compressions = split(value);
    } else if (name == "--partitions") {
      options.partitions.clear();
      for (const std::string& count : split(value)) options.partitions.push_back(std::atoi(count.c_str()));
    } else if (name == "--line-bytes") {
      options.line_bytes = std::strtoul(value.c_str(), nullptr, 10);
    } else if (name == "--megabytes") {
      options.megabytes = std::strtoul(value.c_str(), nullptr, 10);
    } else if (name == "--inflight-megabytes") {
      options.inflight_megabytes = std::strtoul(value.c_str(), nullptr, 10);
    } else if (name == "--repeat") {
      options.repeat = std::max(1, std::atoi(value.c_str()));
    } else if (name == "--property") {
      const std::size_t equals = value.find('=');
      if (equals == std::string::npos) fail("--property takes NAME=VALUE");
      options.properties.emplace_back(value.substr(0, equals), value.substr(equals + 1));
    } else {
      fail("unknown option " + std::string(name));
    }
  }
  if (options.line_bytes < 8 || options.line_bytes > kBlockBytes) fail("--line-bytes: 8 to 262144");
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  std::mt19937_64 random(42);
  std::string text;  // 32 MiB in slab-sized blocks: larger than the caches, as real slabs are in turn
  const std::size_t lines_per_block = kBlockBytes / options.line_bytes;
  for (std::size_t block = 0; block < 128; ++block) {
    std::string content;
    for (std::size_t i = 0; i < lines_per_block; ++i)
      content += make_line(random, options.line_bytes, i) + "\n";
    content.resize(kBlockBytes, '\n');
    text += content;
  }
  for (const std::string& compression : options.compressions) {
    for (const int partitions : options.partitions) run_case(compression, partitions, text, options);
  }
}
