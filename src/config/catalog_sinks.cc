// The sinks' part of the catalog: what they share, then one description each.
#include <fmt/format.h>

#include "config/catalog.h"
#include "config/checks.h"
#include "config/diagnostic.h"
#include "sink/http_check.h"
#include "sink/kafka_check.h"
#include "sink/tcp_connection.h"
#include "sink/template.h"

namespace logflume {
namespace {

constexpr const char* kTemplateDoc =
    " A template: `{{ source }}`, `{{ host }}`, `{{ file }}`, `{{ file_name }}` and `{{ LABEL }}`";
constexpr const char* kFieldDoc =
    "; any other name is a field of the event, a key of an object behind a dot, and `{{ FIELD ?? TEXT }}` "
    "says what "
    "stands there where an event does not have it";

constexpr std::uint64_t kDiskBufferMin = 1024 * 1024;
constexpr std::uint64_t kOverflowMin = 64 * 1024;

ObjectDescription describe_batch() {
  Describe<BatchConfig> batch("How events are put together before they are sent.");
  batch
      .bytes("max_bytes", &BatchConfig::max_bytes,
             "Encoded size, before compression. A larger single event goes alone.")
      .at_least(1)
      .at_most(1ULL << 30);
  batch.field("max_events", &BatchConfig::max_events, "Events of one batch.").at_least(1);
  batch.field("linger", &BatchConfig::linger, "The longest wait for a batch to fill.")
      .absent_is("by the type of sink")
      .example_is("200ms")
      .at_most(std::chrono::hours(1));
  return std::move(batch).done();
}

ObjectDescription describe_buffer() {
  Describe<BufferConfig> buffer("What waits for the sink.");
  buffer.choice("type", &BufferConfig::type, {{"memory", BufferType::kMemory}, {"disk", BufferType::kDisk}},
                "Where it waits. `disk`: in a log under `data_dir`; a source is acknowledged when its events "
                "are durable there, so that its files may go while the sink is down.");
  buffer.bytes("max_bytes", &BufferConfig::max_bytes, "How much may wait.")
      .at_least(1)
      .absent_is("16MiB in memory, 1GiB on disk")
      .example_is("10GiB");
  buffer.choice(
      "when_full", &BufferConfig::when_full,
      {{"block", WhenFull::kBlock},
       {"drop_newest", WhenFull::kDropNewest},
       {"drop_oldest", WhenFull::kDropOldest}},
      "`block`: this sink falls behind, alone, and later reads again from the file. `drop_newest`, "
      "`drop_oldest`: events that find the disk buffer full, or its oldest, are given up and counted "
      "(reason `buffer_full`).");
  buffer
      .bytes("overflow", &BufferConfig::overflow,
             "The disk is not touched before so much waits in memory, and again once the sink has caught up.")
      .at_least(kOverflowMin)
      .absent_is("everything is written to disk")
      .example_is("64MiB");
  buffer.check([](const BufferConfig& config, Findings& findings) {
    if (config.on_disk()) {
      if (config.bytes() < kDiskBufferMin) {
        findings.error(
            "max_bytes",
            fmt::format("buffer.max_bytes: {} bytes are too few for a disk buffer", config.bytes()),
            "at least 1MiB");
      }
      return;
    }
    if (config.when_full != WhenFull::kBlock) {
      findings.error(
          "when_full", "buffer.when_full: dropping needs a disk buffer", "block",
          "a sink that is behind reads again from the file; \"type: disk\" has a buffer to drop from");
    }
    if (config.overflow) {
      findings.misnamed("overflow", "buffer.overflow needs a disk buffer", {},
                        "with \"type: disk\" it is the memory before the disk is used");
    }
  });
  return std::move(buffer).done();
}

ObjectDescription describe_retry() {
  Describe<RetryConfig> retry("Waits between attempts: exponential, with full jitter, for ever.");
  retry.field("initial", &RetryConfig::initial, "The first wait, at most.").at_least(1ms);
  retry.field("max", &RetryConfig::max, "The longest wait.").at_least(1ms);
  retry.check([](const RetryConfig& config, Findings& findings) {
    if (config.max < config.initial) {
      findings.error(findings.given("max") ? "max" : "initial", "retry.max is shorter than retry.initial");
    }
  });
  return std::move(retry).done();
}

// Keys that not every sink has: why this one has not.
struct TlsWithout {
  std::string enabled;
  std::string server_name;
};

ObjectDescription describe_tls(TlsWithout without = {}) {
  const bool has_switch = without.enabled.empty();
  Describe<TlsConfig> tls("TLS to the peer.");
  if (has_switch) {
    tls.field("enabled", &TlsConfig::enabled, "Speak TLS.");
  } else {
    tls.unsupported("enabled", std::move(without.enabled));
  }
  tls.field("ca_file", &TlsConfig::ca_file, "Authorities that may have signed the peer's certificate, PEM.")
      .absent_is("the system's authorities")
      .example_is("/etc/ssl/certs/ca.pem");
  tls.field("cert_file", &TlsConfig::cert_file, "The agent's own certificate, PEM, for mutual TLS.")
      .absent_is("none")
      .example_is("/etc/logflume/agent.pem");
  tls.field("key_file", &TlsConfig::key_file, "Its private key, PEM.")
      .absent_is("none")
      .example_is("/etc/logflume/agent.key");
  tls.field("verify", &TlsConfig::verify, "Check the peer's certificate and name. Off only for tests.");
  if (without.server_name.empty()) {
    tls.field("server_name", &TlsConfig::server_name, "The name that the peer's certificate must bear.")
        .absent_is("the host that is connected to")
        .example_is("logs.example.com");
  } else {
    tls.unsupported("server_name", std::move(without.server_name));
  }
  tls.check([has_switch](const TlsConfig& config, Findings& findings) {
    if (config.cert_file.empty() != config.key_file.empty()) {
      findings.error(config.cert_file.empty() ? "key_file" : "cert_file",
                     "tls.cert_file and tls.key_file need each other");
    }
    if (has_switch && !config.enabled && (findings.given("ca_file") || findings.given("cert_file")) &&
        !findings.given("enabled")) {
      findings.warning("ca_file", "TLS is not enabled", "add \"enabled: true\"");
    }
    if (!findings.check_paths()) return;
    bool readable = true;
    for (const auto& [key, path] :
         {std::pair{"ca_file", &config.ca_file}, std::pair{"cert_file", &config.cert_file},
          std::pair{"key_file", &config.key_file}}) {
      if (path->empty()) continue;
      if (std::string wrong = check_readable_file(*path); !wrong.empty()) {
        findings.error(key, fmt::format("tls.{}: {}", key, wrong));
        readable = false;
      }
    }
    if (!readable || (has_switch && !config.enabled)) return;
    if (const auto loaded = TlsContext::make(config); !loaded) {
      const std::string& message = loaded.error().message;  // "tls.ca_file /etc/x.pem: ..."
      const std::size_t dot = message.find('.') + 1;
      findings.error(message.substr(dot, message.find(' ') - dot), message);
    }
  });
  return std::move(tls).done();
}

// What every sink takes. `type`-specific keys come after it.
template <typename T>
void describe_common(Describe<T>& sink) {
  sink.field("inputs", &SinkConfig::inputs,
             "The sources and transforms whose events it gets; an output of a transform as `NAME.OUTPUT`.")
      .required()
      .must(check_not_empty, "the name of a source or transform")
      .example_is("[app]");
  sink.field("formerly", &SinkConfig::formerly,
             "The name that this sink had before: its checkpoints, and what waits in its buffer, go on under "
             "the "
             "new one.")
      .must(check_not_empty, "a name that no component has now")
      .absent_is("it had no other")
      .example_is("old_name");
  sink.choice(
      "encoding", &SinkConfig::encoding,
      {{"json", Encoding::kJson},
       {"raw", Encoding::kRaw},
       {"line", Encoding::kLine},
       {"logfmt", Encoding::kLogfmt},
       {"csv", Encoding::kCsv},
       {"msgpack", Encoding::kMsgpack}},
      "`raw`: the line as it was. `json`: an object with `message`, or the fields that transforms have "
      "made of it, and `file`, `source`, `host`, `timestamp` and the labels. `line`: the line as it was, and "
      "behind it the fields that transforms have added, as logfmt. `logfmt`, `msgpack`: what `json` has, "
      "as pairs or as a MessagePack map (no newline between events). `csv`: the fields of `csv_columns`.");
  sink.field("csv_columns", &SinkConfig::csv_columns, "The fields that encoding `csv` writes, in this order.")
      .must(check_not_empty, "the name of a field")
      .absent_is("none")
      .example_is("[timestamp, status, path]");
  sink.field("labels", &SinkConfig::labels, "Added to each event, but raw ones.")
      .example_is("{env: production}");
  sink.object("batch", &SinkConfig::batch, describe_batch(), "How events are put together.");
  sink.object("buffer", &SinkConfig::buffer, describe_buffer(), "What waits for the sink.");
  sink.object("retry", &SinkConfig::retry, describe_retry(), "Waits between attempts.");
  sink.field("request_timeout", &SinkConfig::request_timeout, "An attempt that takes longer has failed.")
      .at_least(1ms);
  sink.field(
          "latency", &SinkConfig::latency,
          "How long a line may take from the write to the send, before `batch.linger`. A source uses it to "
          "read many lines at once: the shortest that its sinks allow.")
      .at_least(1ms)
      .at_most(10s)
      .absent_is("that of all, else as soon as possible")
      .example_is("5ms");
  sink.check([](const T& config, Findings& findings) {
    if (config.encoding == Encoding::kCsv && config.csv_columns.empty())
      findings.error("csv_columns", "encoding csv needs \"csv_columns\"", "the names of fields");
    const bool overflows = config.buffer.on_disk() && config.buffer.overflow;
    const std::uint64_t waiting = overflows ? *config.buffer.overflow : config.buffer.bytes();
    if (config.batch.max_bytes > waiting) {
      findings.error(
          "batch.max_bytes",
          fmt::format("batch.max_bytes is more than buffer.{} ({} bytes): a batch could never fill",
                      overflows ? "overflow" : "max_bytes", waiting));
    }
  });
}

void report(const std::vector<SettingFault>& faults, Findings& findings) {
  for (const SettingFault& fault : faults) {
    fault.of_name ? findings.misnamed(fault.key, fault.message, fault.expected, fault.hint)
                  : findings.error(fault.key, fault.message, fault.expected, fault.hint);
  }
}

bool is_constant(const std::string& text) {
  return text.find('%') == std::string::npos && text.find("{{") == std::string::npos;
}

}  // namespace

ObjectDescription describe_blackhole_sink() {
  Describe<BlackholeSinkConfig> sink("Acknowledges everything and delivers nothing: for measurements.");
  describe_common(sink);
  return std::move(sink).done();
}

ObjectDescription describe_console_sink() {
  Describe<ConsoleSinkConfig> sink("Standard output. Nothing but events is written there.");
  describe_common(sink);
  return std::move(sink).done();
}

ObjectDescription describe_file_sink() {
  Describe<FileSinkConfig> sink("A file, acknowledged after fsync; exactly once, even through a kill.");
  describe_common(sink);
  sink.field("path", &FileSinkConfig::path,
             std::string("Where to write.") + kTemplateDoc + ", and strftime's `%Y-%m-%d` in UTC" +
                 kFieldDoc +
                 " (else `_`). No value leads to another directory. Missing directories are made.")
      .required()
      .must(check_not_empty, "a path")
      .must(check_no_nul, "a path")
      .example_is("\"/var/log/collected/{{ source }}-%Y-%m-%d.log\"");
  sink.choice("compression", &FileSinkConfig::compression,
              {{"none", Compression::kNone}, {"gzip", Compression::kGzip}, {"zstd", Compression::kZstd}},
              "How the file is compressed.");
  sink.field("max_open_files", &FileSinkConfig::max_open_files,
             "Files of a templated path that are kept open. Where fields of events would make more of them "
             "at once, "
             "events of further values go where those go that have none, which is counted as the error "
             "`too_many_outputs`.")
      .at_least(1)
      .at_most(1'000'000);
  sink.check([](const FileSinkConfig& config, Findings& findings) {
    if (config.path.empty()) return;
    const Result<Template> parsed = Template::parse(config.path, config.labels, /*with_time=*/true);
    if (!parsed) findings.error("path", "path: " + parsed.error().message);
    if (config.path.back() == '/') {
      findings.error("path", fmt::format("path: {} names a directory", excerpt(config.path)),
                     "the name of a file");
    } else if (findings.check_paths() && is_constant(config.path)) {
      if (std::string wrong = check_output_file(config.path); !wrong.empty())
        findings.error("path", "path: " + wrong);
    }
  });
  return std::move(sink).done();
}

ObjectDescription describe_tcp_sink() {
  Describe<TcpSinkConfig> sink(
      "Newline-framed events to a TCP peer, acknowledged when the peer's kernel has acknowledged the bytes.");
  describe_common(sink);
  sink.field("address", &TcpSinkConfig::addresses, "One address or several, tried in turn.")
      .required()
      .must(check_host_port, "host:port, as in logs.example.com:5140")
      .example_is("\"logs.example.com:5140\"");
  sink.object("tls", &TcpSinkConfig::tls, describe_tls(), "TLS to the peer.");
  sink.field("connect_timeout", &TcpSinkConfig::connect_timeout, "How long to wait for a connection.")
      .at_least(1ms);
  return std::move(sink).done();
}

ObjectDescription describe_http_sink() {
  Describe<HttpSinkConfig> auth("Credentials: `user` and `password` for basic, or `token` for bearer.");
  auth.field("user", &HttpSinkConfig::auth_user, "Basic authentication.")
      .absent_is("none")
      .example_is("agent");
  auth.field("password", &HttpSinkConfig::auth_password, "Its password.")
      .secret()
      .absent_is("none")
      .example_is("\"${LOGS_PASSWORD}\"");
  auth.field("token", &HttpSinkConfig::auth_token, "Bearer authentication.")
      .secret()
      .must(check_http_header_value, "a token on one line")
      .absent_is("none")
      .example_is("\"${LOGS_TOKEN}\"");
  auth.check([](const HttpSinkConfig& config, Findings& findings) {
    if (!config.auth_token.empty() && (!config.auth_user.empty() || !config.auth_password.empty())) {
      findings.error("token", "auth takes a user and password, or a token, not both");
    } else if (config.auth_user.empty() && !config.auth_password.empty()) {
      findings.error("password", "auth.password needs auth.user");
    }
  });

  Describe<HttpSinkConfig> sink("Requests with a batch each, acknowledged by a 2xx answer.");
  describe_common(sink);
  sink.field("uri", &HttpSinkConfig::uri, "Where to send to, `http://` or `https://`.")
      .required()
      .must(check_http_uri, "http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH")
      .example_is("\"https://logs.example.com/ingest\"");
  sink.field("method", &HttpSinkConfig::method, "The request's method.")
      .must(check_http_method, "POST, PUT or another method");
  sink.field("headers", &HttpSinkConfig::headers, "Added to each request.")
      .secret()
      .must(check_http_header_value, "text on one line")
      .example_is("{X-Team: platform}");
  sink.group("auth", std::move(auth).done(), "Credentials.");
  sink.choice("compression", &HttpSinkConfig::compression,
              {{"none", Compression::kNone}, {"gzip", Compression::kGzip}, {"zstd", Compression::kZstd}},
              "Of the body, named in `Content-Encoding`.");
  sink.field("compression_level", &HttpSinkConfig::compression_level,
             "How hard it tries: gzip to 9, of which 1 and 2 are several times as fast as 3, zstd to 22. "
             "`logflume lab compress` shows what a level takes and gives.")
      .at_least(1)
      .at_most(22)
      .absent_is("the library's: 6 for gzip, 3 for zstd")
      .example_is("1");
  sink.choice("body", &HttpSinkConfig::body,
              {{"ndjson", HttpBody::kNdjson}, {"json_array", HttpBody::kJsonArray}},
              "An event a line, or one JSON array.");
  sink.field("parallel_requests", &HttpSinkConfig::parallel_requests,
             "Requests under way at a time, of different files: each file's order is kept.")
      .at_least(1)
      .at_most(1000);
  sink.object(
      "tls", &HttpSinkConfig::tls,
      describe_tls({.enabled = "the URI decides: https:// speaks TLS, http:// does not", .server_name = {}}),
      "TLS for `https://`; the URI decides whether it is used.");
  sink.check([](const HttpSinkConfig& config, Findings& findings) {
    report(http_faults(config), findings);
    if (config.compression_level && config.compression == Compression::kNone) {
      findings.warning("compression_level", "compression_level has no effect: it needs a compression");
    }
    if (findings.given("tls") && config.uri.starts_with("http://")) {
      findings.warning("tls", "tls has no effect: the URI begins with http://");
    }
  });
  return std::move(sink).done();
}

ObjectDescription describe_kafka_sink() {
  using Sasl = KafkaSinkConfig::Sasl;
  Describe<Sasl> sasl("Authentication with the brokers.");
  sasl.choice("mechanism", &Sasl::mechanism,
              {{"PLAIN", "PLAIN"}, {"SCRAM-SHA-256", "SCRAM-SHA-256"}, {"SCRAM-SHA-512", "SCRAM-SHA-512"}},
              "How to authenticate.")
      .absent_is("no authentication")
      .example_is("SCRAM-SHA-512");
  sasl.field("username", &Sasl::username, "Who the agent is.").absent_is("none").example_is("agent");
  sasl.field("password", &Sasl::password, "Its password.")
      .secret()
      .absent_is("none")
      .example_is("\"${KAFKA_PASSWORD}\"");
  sasl.check([](const Sasl& config, Findings& findings) {
    if (config.mechanism.empty()) {
      if (!config.username.empty() || !config.password.empty()) {
        findings.error("mechanism", "sasl.mechanism is missing", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512");
      }
    } else if (config.username.empty() || config.password.empty()) {
      findings.error(config.username.empty() ? "username" : "password",
                     fmt::format("sasl.{} is missing", config.username.empty() ? "username" : "password"));
    }
  });

  Describe<KafkaSinkConfig> sink(
      "An Apache Kafka topic: idempotent, `acks=all`, in order within a partition.");
  describe_common(sink);
  sink.joined("bootstrap_servers", &KafkaSinkConfig::bootstrap_servers,
              "Brokers to begin with: a list, or one text with commas.")
      .required()
      .must(check_kafka_servers, "host:port, as in kafka-1.example.com:9092")
      .example_is("\"127.0.0.1:9092\"");
  sink.field(
          "topic", &KafkaSinkConfig::topic,
          std::string("Where to write.") + kTemplateDoc + ", and strftime's `%Y-%m-%d` in UTC" + kFieldDoc +
              ". What a topic's name must not have in it becomes `_`. Fields make no more than 1,000 topics: "
              "events of further values go where those go that have none, which is counted as the error "
              "`too_many_topics`.")
      .required()
      .must(check_not_empty, "a topic name or a template")
      .example_is("logs-raw");
  sink.field("key", &KafkaSinkConfig::key,
             std::string("Decides which events share a partition, and so their order.") + kTemplateDoc +
                 kFieldDoc + ".")
      .absent_is("no key")
      .example_is("\"{{ file }}\"");
  sink.choice("compression", &KafkaSinkConfig::compression,
              {{"none", Compression::kNone},
               {"gzip", Compression::kGzip},
               {"snappy", Compression::kSnappy},
               {"lz4", Compression::kLz4},
               {"zstd", Compression::kZstd}},
              "Of the message sets.");
  std::vector<std::pair<std::string, std::string>> partitioners;
  for (const char* name :
       {"random", "consistent", "consistent_random", "murmur2", "murmur2_random", "fnv1a", "fnv1a_random"}) {
    partitioners.emplace_back(name, name);
  }
  sink.choice("partitioner", &KafkaSinkConfig::partitioner, std::move(partitioners),
              "How a key chooses a partition, by librdkafka's names.");
  sink.field(
          "parallel_producers", &KafkaSinkConfig::parallel_producers,
          "Producers that compress and send at the same time, each on a core, while there is more than one "
          "can do. Messages with one key, and those of one partition, go through one of them.")
      .at_least(1)
      .at_most(64)
      .absent_is("one for each core, at most 4")
      .example_is("2");
  sink.field("headers", &KafkaSinkConfig::headers,
             std::string("Headers of each message.") + kTemplateDoc + kFieldDoc + " (else an empty value).")
      .example_is("{origin: \"{{ host }}\"}");
  sink.object("sasl", &KafkaSinkConfig::sasl, std::move(sasl).done(), "Authentication with the brokers.");
  sink.object(
      "tls", &KafkaSinkConfig::tls,
      describe_tls({.enabled = {}, .server_name = "brokers are verified by the names that they advertise"}),
      "TLS to the brokers.");
  sink.field("options", &KafkaSinkConfig::options, "Any other property of librdkafka, by its name.")
      .secret()
      .example_is("{socket.keepalive.enable: \"true\"}");
  sink.check([](const KafkaSinkConfig& config, Findings& findings) {
    std::vector<SettingFault> faults = kafka_faults(config);
    if (faults.empty() && findings.check_paths()) faults = kafka_start_faults(config);
    report(faults, findings);
  });
  return std::move(sink).done();
}

}  // namespace logflume
