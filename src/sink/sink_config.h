// What every sink can be told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace logflume {

enum class Encoding {
  kJson,
  kRaw,   // the line as it was
  kLine,  // ... and the fields that transforms have added
  kLogfmt,
  kCsv,
  kMsgpack,
};
enum class Compression { kNone, kGzip, kSnappy, kLz4, kZstd };

struct BatchConfig {
  std::uint64_t max_bytes = 1024 * 1024;  // of the encoded, uncompressed body
  std::uint64_t max_events = 10'000;
  std::optional<Duration> linger;  // absent: the sink's own default
  bool operator==(const BatchConfig&) const = default;
};

enum class WhenFull { kBlock, kDropNewest, kDropOldest };
enum class BufferType { kMemory, kDisk };
struct BufferConfig {
  static constexpr std::uint64_t kMemoryBytes = 16 * 1024 * 1024;
  static constexpr std::uint64_t kDiskBytes = 1024 * 1024 * 1024;

  BufferType type = BufferType::kMemory;
  std::optional<std::uint64_t> max_bytes;  // absent: by the type
  WhenFull when_full = WhenFull::kBlock;
  std::optional<std::uint64_t> overflow;  // of a disk buffer: it is not used before so much waits in memory

  bool on_disk() const { return type == BufferType::kDisk; }
  std::uint64_t bytes() const { return max_bytes.value_or(on_disk() ? kDiskBytes : kMemoryBytes); }
  // What of it is in memory.
  std::uint64_t memory_bytes() const {
    if (!on_disk()) return bytes();
    return overflow ? *overflow / 2 * 3 : kMemoryBytes;  // a third is what the sink has in its hands
  }
  bool operator==(const BufferConfig&) const = default;
};

struct RetryConfig {
  Duration initial = 100ms;
  Duration max = 10s;
  bool operator==(const RetryConfig&) const = default;
};

struct TlsConfig {
  bool enabled = false;
  std::string ca_file;    // empty: the system's
  std::string cert_file;  // for mutual TLS
  std::string key_file;
  bool verify = true;
  std::string server_name;  // empty: the host that is connected to
  bool operator==(const TlsConfig&) const = default;
};

struct SinkConfig {
  std::vector<std::string> inputs;
  std::string formerly;  // its name before; empty: none
  Encoding encoding = Encoding::kJson;
  std::vector<std::string> csv_columns;       // of encoding csv
  std::map<std::string, std::string> labels;  // added to each event, but raw ones
  BatchConfig batch;
  BufferConfig buffer;
  RetryConfig retry;
  Duration request_timeout = 30s;
  std::optional<Duration> latency;  // that its lines may have; its sources make use of it
  bool operator==(const SinkConfig&) const = default;
};

struct BlackholeSinkConfig : SinkConfig {
  bool operator==(const BlackholeSinkConfig&) const = default;
};

struct ConsoleSinkConfig : SinkConfig {
  bool operator==(const ConsoleSinkConfig&) const = default;
};

struct FileSinkConfig : SinkConfig {
  std::string path;                              // template: {{ field }} and strftime
  Compression compression = Compression::kNone;  // none, gzip, zstd
  std::uint32_t max_open_files = 256;            // outputs of a templated path kept open
  bool operator==(const FileSinkConfig&) const = default;
};

struct TcpSinkConfig : SinkConfig {
  std::vector<std::string> addresses;  // key `address`: one or a list, host:port; tried in turn
  TlsConfig tls;
  Duration connect_timeout = 10s;
  bool operator==(const TcpSinkConfig&) const = default;
};

enum class HttpBody { kNdjson, kJsonArray };
struct HttpSinkConfig : SinkConfig {
  static constexpr Duration kDefaultLinger = 500ms;

  std::string uri;
  std::string method = "POST";
  std::map<std::string, std::string> headers;
  std::string auth_user, auth_password;            // key `auth: {user, password}` (basic) ...
  std::string auth_token;                          // ... or `auth: {token}` (bearer)
  Compression compression = Compression::kNone;    // none, gzip, zstd
  std::optional<std::uint32_t> compression_level;  // absent: the library's default
  HttpBody body = HttpBody::kNdjson;
  std::uint32_t parallel_requests = 4;  // of different files
  TlsConfig tls;
  bool operator==(const HttpSinkConfig&) const = default;
};

struct KafkaSinkConfig : SinkConfig {
  static constexpr Duration kDefaultLinger = 50ms;
  static constexpr std::size_t kProducersByItself = 4;  // at most, where `parallel_producers` is absent

  std::string bootstrap_servers;
  std::string topic;                              // template
  std::string key;                                // template; empty: no key
  Compression compression = Compression::kNone;   // all five
  std::string partitioner = "consistent_random";  // librdkafka's names
  std::optional<std::uint32_t> parallel_producers;
  std::map<std::string, std::string> headers;  // values are templates
  struct Sasl {
    std::string mechanism;  // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512; empty: none
    std::string username, password;
    bool operator==(const Sasl&) const = default;
  } sasl;
  TlsConfig tls;
  std::map<std::string, std::string> options;  // any librdkafka property
  bool operator==(const KafkaSinkConfig&) const = default;
};

}  // namespace logflume
