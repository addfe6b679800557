#include "config/load.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "config/config_test_fixture.h"

namespace logflume {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

template <typename T>
const T& sink(const LoadedConfig& loaded) {
  return std::get<T>(loaded.config->sinks.at("out"));
}
const FileSourceConfig& source(const LoadedConfig& loaded) {
  return std::get<FileSourceConfig>(loaded.config->sources.at("app"));
}

TEST(LoadTest, DefaultsAreThoseOfTheSemantics) {
  const LoadedConfig loaded = load_text(with());
  ASSERT_TRUE(loaded.config) << render(loaded.diagnostics);
  EXPECT_THAT(loaded.diagnostics, IsEmpty());
  EXPECT_EQ(loaded.config->memory_limit, 256u << 20);
  EXPECT_EQ(loaded.config->data_dir, "/var/lib/logflume");
  const auto& out = sink<BlackholeSinkConfig>(loaded);
  EXPECT_EQ(out.encoding, Encoding::kJson);
  EXPECT_EQ(out.batch.max_bytes, 1u << 20);
  EXPECT_EQ(out.batch.max_events, 10'000u);
  EXPECT_EQ(out.buffer.bytes(), 16u << 20);
}

TEST(LoadTest, LingerDefaultsByTypeOfSink) {
  const auto linger = [](const std::string& type, const std::string& keys) {
    const LoadedConfig loaded = load_text(with("", keys, type));
    EXPECT_TRUE(loaded.config) << render(loaded.diagnostics);
    return std::visit([](const auto& one) { return *one.batch.linger; }, loaded.config->sinks.at("out"));
  };
  EXPECT_EQ(linger("blackhole", ""), 0ms);
  EXPECT_EQ(linger("console", ""), 0ms);
  EXPECT_EQ(linger("file", "path: /tmp/out"), 0ms);
  EXPECT_EQ(linger("tcp", "address: \"h:1\""), 0ms);
  EXPECT_EQ(linger("kafka", "bootstrap_servers: h\n    topic: t"), 50ms);
  EXPECT_EQ(linger("http", "uri: http://h/"), 500ms);
  EXPECT_EQ(linger("http", "uri: http://h/\n    batch: {linger: 2s}"), 2s);
}

TEST(LoadTest, EveryKeyReachesItsField) {
  const LoadedConfig loaded = load_text(R"(version: 1
data_dir: /d
memory_limit: 64MiB
shutdown_timeout: 2s
max_open_files: 77
rate_limit: 1000
log: {level: debug, format: json}
api: {enabled: true, listen: "[::1]:9"}
sources:
  app:
    type: file
    include: /a/*
    exclude: [/a/b, /a/c]
    start_at: end
    read_mode: io_uring
    rate_limit: 50MiB
    file_rate_limit: 1kB
    max_line_bytes: 64KiB
    strip_cr: true
    ignore_older: 1d
    close_inactive: 5m
    rotate_wait: 1s
    rescan_interval: 3s
    coalesce: 4ms
    deleted_files: {max_bytes: 7, max_age: 8s}
transforms: {}
sinks:
  out:
    type: kafka
    inputs: app
    encoding: raw
    labels: {env: prod, n: 5}
    batch: {max_bytes: 10, max_events: 11, linger: 12ms}
    buffer: {type: memory, max_bytes: 13MiB, when_full: block}
    retry: {initial: 14ms, max: 15s}
    request_timeout: 16s
    bootstrap_servers: [a:1, b:2]
    topic: t
    key: "{{ file }}"
    compression: lz4
    partitioner: murmur2
    headers: {h: "{{ host }}"}
    sasl: {mechanism: PLAIN, username: u, password: p}
    tls: {enabled: true, verify: false}
    options: {linger.ms: 7}
)");
  ASSERT_TRUE(loaded.config) << render(loaded.diagnostics);
  const Config& config = *loaded.config;
  EXPECT_EQ(config.data_dir, "/d");
  EXPECT_EQ(config.memory_limit, 64u << 20);
  EXPECT_EQ(config.shutdown_timeout, 2s);
  EXPECT_EQ(config.max_open_files, 77u);
  EXPECT_EQ(config.rate_limit, 1000u);
  EXPECT_EQ(config.log_level, LogLevel::kDebug);
  EXPECT_EQ(config.log_format, LogFormat::kJson);
  EXPECT_TRUE(config.api.enabled);
  EXPECT_EQ(config.api.listen, "[::1]:9");
  const FileSourceConfig& app = source(loaded);
  EXPECT_THAT(app.include, ElementsAre("/a/*"));
  EXPECT_THAT(app.exclude, ElementsAre("/a/b", "/a/c"));
  EXPECT_EQ(app.start_at, StartAt::kEnd);
  EXPECT_EQ(app.read_mode, ReadMode::kIoUring);
  EXPECT_EQ(app.rate_limit, 50u << 20);
  EXPECT_EQ(app.file_rate_limit, 1000u);
  EXPECT_EQ(app.max_line_bytes, 65536u);
  EXPECT_TRUE(app.strip_cr);
  EXPECT_EQ(app.ignore_older, std::chrono::hours(24));
  EXPECT_EQ(app.close_inactive, std::chrono::minutes(5));
  EXPECT_EQ(app.rotate_wait, 1s);
  EXPECT_EQ(app.rescan_interval, 3s);
  EXPECT_EQ(app.coalesce, 4ms);
  EXPECT_EQ(app.deleted_files.max_bytes, 7u);
  EXPECT_EQ(app.deleted_files.max_age, 8s);
  const auto& out = sink<KafkaSinkConfig>(loaded);
  EXPECT_THAT(out.inputs, ElementsAre("app"));
  EXPECT_EQ(out.encoding, Encoding::kRaw);
  EXPECT_THAT(out.labels, ElementsAre(std::pair("env", "prod"), std::pair("n", "5")));
  EXPECT_EQ(out.batch.max_bytes, 10u);
  EXPECT_EQ(out.batch.max_events, 11u);
  EXPECT_EQ(out.batch.linger, 12ms);
  EXPECT_EQ(out.buffer.bytes(), 13u << 20);
  EXPECT_EQ(out.retry.initial, 14ms);
  EXPECT_EQ(out.retry.max, 15s);
  EXPECT_EQ(out.request_timeout, 16s);
  EXPECT_EQ(out.bootstrap_servers, "a:1,b:2");
  EXPECT_EQ(out.compression, Compression::kLz4);
  EXPECT_EQ(out.partitioner, "murmur2");
  EXPECT_EQ(out.sasl.mechanism, "PLAIN");
  EXPECT_FALSE(out.tls.verify);
  EXPECT_THAT(out.options, ElementsAre(std::pair("linger.ms", "7")));
}

struct Mistake {
  const char* source;  // in line 5, from column 5
  const char* said;    // how the only diagnostic begins
};

TEST(LoadTest, ASourceHasTheShortestLatencyThatItsSinksAllow) {
  const LoadedConfig loaded = load_text(R"(version: 1
data_dir: /d
latency: 50ms
sources:
  both: {type: file, include: /a}
  own: {type: file, include: /b, latency: 7ms}
  usual: {type: file, include: /c}
sinks:
  fast: {type: blackhole, inputs: [both, own], latency: 5ms}
  slow: {type: blackhole, inputs: [both, own, usual]}
)");
  ASSERT_TRUE(loaded.config) << render(loaded.diagnostics);
  const auto latency = [&](const char* name) {
    return std::get<FileSourceConfig>(loaded.config->sources.at(name)).latency;
  };
  EXPECT_EQ(latency("both"), 5ms);
  EXPECT_EQ(latency("own"), 7ms);
  EXPECT_EQ(latency("usual"), 50ms);
}

TEST(LoadTest, ASinkThatWantsLinesAtOnceIsNotMadeToWait) {
  const LoadedConfig loaded = load_text(R"(version: 1
data_dir: /d
sources:
  app: {type: file, include: /a}
sinks:
  fast: {type: blackhole, inputs: [app]}
  slow: {type: blackhole, inputs: [app], latency: 5ms}
)");
  ASSERT_TRUE(loaded.config) << render(loaded.diagnostics);
  EXPECT_EQ(source(loaded).latency, std::nullopt);
}

TEST(LoadTest, EachMistakeInASourceIsPlacedAndNamed) {
  const Mistake mistakes[] = {
      {"inclde: [x]",
       "5:5: unknown key \"inclde\" in source \"app\" (type file) [did you mean \"include\"?]"},
      {"zzz: 1", "5:5: unknown key \"zzz\" in source \"app\" (type file) [\"close_inactive\", \"coalesce\","},
      {"include: [b]", "5:5: duplicate key \"include\" [first defined at f.yaml:4:5]"},
      {"rate_limit: 50 parsecs",
       "5:17: rate_limit: \"50 parsecs\" is not a size [a size: a number of bytes, or with a unit"},
      {"rate_limit: 0", "5:17: rate_limit: 0 is too small [at least 1B]"},
      {"rate_limit: 1.5", "5:17: rate_limit: \"1.5\" is not a size"},
      {"rate_limit: -5MiB", "5:17: rate_limit: \"-5MiB\" is negative"},
      {"rate_limit:", "5:5: rate_limit is empty [a size"},
      {"max_line_bytes: -1", "5:21: max_line_bytes: -1 is negative [a whole number, at least 1]"},
      {"max_line_bytes: 99999999999999999999", "5:21: max_line_bytes: 99999999999999999999 is too large"},
      {"max_line_bytes: 2GiB", "5:21: max_line_bytes: 2GiB is too large [at most 1GiB]"},
      {"max_line_bytes: 128MiB", "5:21: max_line_bytes: one line could fill the memory_limit"},
      {"max_line_bytes: {a: b}", "5:21: max_line_bytes is a map"},
      {"start_at: begining",
       "5:15: start_at: \"begining\" is not known [\"beginning\" or \"end\"] [did you mean \"beginning\"?]"},
      {"read_mode: [mmap]", "5:16: read_mode is a list [\"auto\", \"pread\", \"mmap\" or \"io_uring\"]"},
      {"strip_cr: yes", "5:15: strip_cr: \"yes\" is not a truth value [true or false]"},
      {"ignore_older: 5",
       "5:19: ignore_older: 5 has no unit [a time with its unit (us, ms, s, m, h, d), as in 500ms]"},
      {"ignore_older: -5s", "5:19: ignore_older: \"-5s\" is negative"},
      {"rescan_interval: 1ms", "5:22: rescan_interval: 1ms is too small [at least 10ms]"},
      {"coalesce: soon", "5:15: coalesce: \"soon\" is not a time"},
      {"exclude: {a: b}", "5:14: exclude is a map [a text or a list of texts]"},
      {"exclude: /a/{b,c", "5:14: exclude: "},
      {"exclude: [[a]]", "5:15: exclude holds a list"},
      {"exclude: [\"\"]", "5:15: exclude: an empty text [a glob, as in"},
      {"deleted_files: {max_age: never}", "5:30: deleted_files.max_age: \"never\" is not a time"},
      {"deleted_files: {maxage: 1s}",
       "5:21: unknown key \"deleted_files.maxage\" in \"deleted_files\" [did you mean \"max_age\"?]"},
      {"deleted_files: 5", "5:20: deleted_files is a single value [a map]"},
      {"multiline: {timeout: 1s}", "5:16: multiline needs a pattern or a preset [start_pattern, "},
      {"multiline: {continue_pattern: \"\"}", "5:35: multiline.continue_pattern: an empty text [a regular"},
      {"multiline: {end_pattern: \"[a\"}", "5:30: multiline.end_pattern: missing terminating ]"},
      {"multiline: {preset: jva}", "5:25: multiline.preset: \"jva\" is not known [\"java\","},
      {"multiline: {preset: java, end_pattern: a}",
       "5:31: multiline.end_pattern and multiline.preset exclude each other [one of them]"},
      {"multiline: {preset: docker, inside: cri}",
       "5:33: multiline.inside and this multiline.preset exclude each other [the same of both, or one of "
       "them]"},
      {"multiline: {preset: java, max_lines: 0}", "5:42: multiline.max_lines: 0 is too small [at least 1]"},
      {"multiline: {preset: java, max_bytes: many}", "5:42: multiline.max_bytes: \"many\" is not a size"},
      {"multiline: {start_pattern: \"(a\"}",
       "5:32: multiline.start_pattern: missing closing parenthesis at character 3"},
      {"rate_limit: ${NOT_SET}",
       "5:17: the environment variable \"NOT_SET\" is not set [set it, or give a default: ${NOT_SET:-...}]"},
      {"exclude: \"/a/${NOT_SET}\"", "5:18: the environment variable \"NOT_SET\" is not set"},
      {"exclude: /a/${NOT_SET", "5:17: \"${\" is not closed"},
      {"exclude: /a/${1x}", "5:17: \"${1x}\" is not a variable"},
  };
  for (const Mistake& mistake : mistakes) {
    EXPECT_THAT(said(load_text(with(mistake.source))), ElementsAre(StartsWith(mistake.said)))
        << mistake.source;
  }
}

struct SinkMistake {
  const char* type;
  const char* keys;  // in line 10, from column 5
  const char* said;
};

TEST(LoadTest, EachMistakeInASinkIsPlacedAndNamed) {
  const SinkMistake mistakes[] = {
      {"blackhole", "encoding: xml",
       "10:15: encoding: \"xml\" is not known [\"json\", \"raw\", \"line\", \"logfmt\", \"csv\" or "
       "\"msgpack\"]"},
      {"blackhole", "labels: {a: [b]}", "10:17: labels.a is a list [a text]"},
      {"blackhole", "labels: {a: b, a: c}",
       "10:20: duplicate key \"labels.a\" [first defined at f.yaml:10:14]"},
      {"blackhole", "labels: [a]", "10:13: labels is a list [a map from names to texts]"},
      {"blackhole", "batch: {max_events: 0}", "10:25: batch.max_events: 0 is too small [at least 1]"},
      {"blackhole", "batch: {max_bytes: 32MiB}", "10:24: batch.max_bytes is more than buffer.max_bytes"},
      {"blackhole", "buffer: {type: tape}",
       "10:20: buffer.type: \"tape\" is not known [\"memory\" or \"disk\"]"},
      {"blackhole", "buffer: {when_full: drop_newest}",
       "10:25: buffer.when_full: dropping needs a disk buffer [block]"},
      {"blackhole", "buffer: {overflow: 1MiB}", "10:14: buffer.overflow needs a disk buffer"},
      {"blackhole", "buffer: {type: disk, overflow: 1KiB}",
       "10:36: buffer.overflow: 1KiB is too small [at least 64KiB]"},
      {"blackhole", "buffer: {type: disk, max_bytes: 64KiB}\n    batch: {max_bytes: 1KiB}",
       "10:37: buffer.max_bytes: 65536 bytes are too few for a disk buffer [at least 1MiB]"},
      {"blackhole", "buffer: {type: disk, overflow: 512KiB}",
       "7:3: batch.max_bytes is more than buffer.overflow (524288 bytes): a batch could never fill"},
      {"blackhole", "retry: {initial: 2s, max: 1s}", "10:31: retry.max is shorter than retry.initial"},
      {"blackhole", "request_timeout: 0", "10:22: request_timeout: 0 is too small [at least 1ms]"},
      {"blackhole", "path: /x", "10:5: unknown key \"path\" in sink \"out\" (type blackhole)"},
      {"blackhol", "", "8:11: unknown sink type \"blackhol\" [did you mean \"blackhole\"?]"},
      {"[file]", "",
       "8:11: sink \"out\" needs \"type\" [\"blackhole\", \"console\", \"file\", \"tcp\", \"http\" or "
       "\"kafka\"]"},
      {"file", "", "7:3: sink \"out\" (type file) needs \"path\" [a path]"},
      {"file", "path: \"\"", "10:11: path: an empty text"},
      {"file", "path: /x/", "10:11: path: /x/ names a directory"},
      {"file", "path: \"/x/{{ nope }}\"", "10:11: path: "},
      {"tcp", "", "7:3: sink \"out\" (type tcp) needs \"address\" [host:port"},
      {"tcp", "address: here",
       "10:14: address: \"here\" has no port [host:port, as in logs.example.com:5140]"},
      {"tcp", "address: \"h:0\"", "10:14: address: the port \"0\" is not a number from 1 to 65535"},
      {"tcp", "address: \"h:65536\"", "10:14: address: the port \"65536\""},
      {"tcp", "address: [\"a:1\", \":2\"]", "10:22: address: the host is missing"},
      {"tcp", "address: \"::1:5\"", "10:14: address: an IPv6 address stands in brackets"},
      {"tcp", "address: []", "10:14: address is empty"},
      {"http", "", "7:3: sink \"out\" (type http) needs \"uri\""},
      {"http", "uri: ftp://h/", "10:10: uri: \"ftp://h/\" does not begin with http:// or https://"},
      {"http", "uri: \"http:///x\"", "10:10: uri: the host is missing"},
      {"http", "uri: \"http://h/a b\"", "10:10: uri: a blank or a control character in it"},
      {"http", "uri: \"http://h:x/\"", "10:10: uri: the port \"x\""},
      {"kafka", "topic: t", "7:3: sink \"out\" (type kafka) needs \"bootstrap_servers\""},
      {"kafka", "bootstrap_servers: h", "7:3: sink \"out\" (type kafka) needs \"topic\""},
  };
  for (const SinkMistake& mistake : mistakes) {
    EXPECT_THAT(said(load_text(with("", mistake.keys, mistake.type))), ElementsAre(StartsWith(mistake.said)))
        << mistake.type << " " << mistake.keys;
  }
}

TEST(LoadTest, MistakesBesideRequiredKeysOfASink) {
  const SinkMistake mistakes[] = {
      {"file", "path: /x\n    compression: snappy",
       "11:18: compression: \"snappy\" is not known [\"none\", \"gzip\" or \"zstd\"]"},
      {"file", "path: /x\n    max_open_files: 0", "11:21: max_open_files: 0 is too small"},
      {"http", "uri: http://h\n    method: get it", "11:13: method: \"get it\" is not an HTTP method"},
      {"http", "uri: http://h\n    method: HEAD", "11:13: method: a HEAD request has no body"},
      {"http", "uri: http://h\n    method: post", "11:13: method: \"post\" is not an HTTP method"},
      {"http", "uri: http://h\n    headers: {\"a b\": c}", "11:15: headers: \"a b\" is not a header name"},
      {"http", "uri: http://h\n    headers: {a: \"b\\r\\nc: d\"}",
       "11:18: headers.a: a control character in it"},
      {"http", "uri: http://h\n    auth: {user: u, token: t}",
       "11:28: auth takes a user and password, or a token, not both"},
      {"http", "uri: http://h\n    auth: {password: p}", "11:22: auth.password needs auth.user"},
      {"http", "uri: https://h\n    tls: {enabled: true}", "11:11: tls.enabled: the URI decides"},
      {"http", "uri: http://h\n    tls: {verify: false}", "11:10: warning: tls has no effect"},
      {"http", "uri: http://h\n    compression: lz4", "11:18: compression: \"lz4\" is not known"},
      {"http", "uri: http://h\n    encoding: raw\n    body: json_array",
       "12:11: body: a JSON array needs \"encoding: json\""},
      {"http", "uri: http://h\n    parallel_requests: 5000000000",
       "11:24: parallel_requests: 5000000000 is too large [at most 1000]"},
      {"tcp", "address: h:1\n    tls: {enabled: true, cert_file: /c}",
       "11:37: tls.cert_file and tls.key_file need each other"},
      {"tcp", "address: h:1\n    tls: {ca_file: /c}", "11:20: warning: TLS is not enabled"},
      {"kafka", "bootstrap_servers: \"a:1,,b\"\n    topic: t",
       "10:24: bootstrap_servers: the name of a server is missing"},
      {"kafka", "bootstrap_servers: a\n    topic: \"a b\"", "11:12: topic: \"a b\" is not a topic name"},
      {"kafka", "bootstrap_servers: a\n    topic: t\n    compression: br",
       "12:18: compression: \"br\" is not known [\"none\", \"gzip\", \"snappy\", \"lz4\" or \"zstd\"]"},
      {"kafka", "bootstrap_servers: a\n    topic: t\n    partitioner: murmur",
       "12:18: partitioner: \"murmur\" is not known"},
      {"kafka", "bootstrap_servers: a\n    topic: t\n    sasl: {mechanism: PLAIN, username: u}",
       "12:5: sasl.password is missing"},
      {"kafka", "bootstrap_servers: a\n    topic: t\n    sasl: {username: u}",
       "12:5: sasl.mechanism is missing"},
      {"kafka", "bootstrap_servers: a\n    topic: t\n    tls: {enabled: true, server_name: s}",
       "12:26: tls.server_name: brokers are verified by the names that they advertise"},
      {"kafka", "bootstrap_servers: a\n    topic: \"{{ host\"", "11:12: topic: "},
      {"kafka", "bootstrap_servers: a\n    topic: \"logs-{{ source }}-%Q\"",
       "11:12: topic: unknown time specifier \"%Q\""},
      {"kafka", "bootstrap_servers: a\n    topic: \"50%%\"", "11:12: topic: \"50%\" is not a topic name"},
      {"kafka", "bootstrap_servers: a\n    topic: t\n    headers: {a.b: \"{{ hots }}\"}",
       "12:20: headers.a.b: unknown field \"hots\""},
      {"kafka", "bootstrap_servers: a\n    topic: t\n    options: {acks: maybe}",
       "12:21: options.acks: \"maybe\": "},
      {"kafka", "bootstrap_servers: a\n    topic: t\n    options: {linger.mss: 5}",
       "12:15: unknown option \"linger.mss\": librdkafka has no such property [did you mean \"linger.ms\"?]"},
      {"kafka", "bootstrap_servers: a\n    topic: t\n    options: {transactional.id: x}",
       "12:15: options.transactional.id cannot be set: transactions are not supported"},
      {"kafka", "bootstrap_servers: a\n    topic: t\n    key: \"{{ hots }}\"", "12:10: key: "},
  };
  for (const SinkMistake& mistake : mistakes) {
    EXPECT_THAT(said(load_text(with("", mistake.keys, mistake.type))), ElementsAre(StartsWith(mistake.said)))
        << mistake.type << " " << mistake.keys;
  }
}

TEST(LoadTest, EachMistakeAtTheTopIsPlacedAndNamed) {
  const std::pair<const char*, const char*> mistakes[] = {
      {"memry_limit: 1GiB",
       "1:1: unknown key \"memry_limit\" in the configuration [did you mean \"memory_limit\"?]"},
      {"source: {}", "1:1: unknown key \"source\" in the configuration [did you mean \"sources\"?]"},
      {"memory_limit: 15MiB", "1:15: memory_limit: 15MiB is too small [at least 16MiB]"},
      {"memory_limit: 1000", "1:15: memory_limit: 1000 is too small [at least 16MiB]"},
      {"max_open_files: [1]", "1:17: max_open_files is a list [a whole number]"},
      {"max_open_files: 0", "1:17: max_open_files: 0 is too small [at least 1]"},
      {"max_open_files: many", "1:17: max_open_files: \"many\" is not a whole number"},
      {"shutdown_timeout: 30", "1:19: shutdown_timeout: 30 has no unit"},
      {"rate_limit: 0", "1:13: rate_limit: 0 is too small"},
      {"log: {level: loud}",
       "1:14: log.level: \"loud\" is not known [\"trace\", \"debug\", \"info\", \"warn\" or \"error\"]"},
      {"log: text", "1:6: log is a single value [a map]"},
      {"api: {listen: 8686}", "1:15: api.listen: \"8686\" has no port"},
      {"api: {enabled: 1}", "1:16: api.enabled: \"1\" is not a truth value"},
      {"version: 2", "1:10: version: \"2\" is not known [1]"},
      {"data_dir: \"\"", "1:11: data_dir: an empty text"},
      {"transforms: {p: {type: parse_jsn, inputs: [app]}}",
       "1:24: unknown transform type \"parse_jsn\" [did you mean \"parse_json\"?"},
      {"transforms: {p: {type: filter, inputs: [app]}}",
       "1:14: transform \"p\" (type filter) needs \"condition\""},
      {"transforms: [a]", "1:13: transforms is a list [a map from names to components]"},
  };
  for (const auto& [text, expected] : mistakes) {
    EXPECT_THAT(said(load_text(std::string(text) + "\n" + with())), ElementsAre(StartsWith(expected)))
        << text;
  }
}

TEST(LoadTest, ATopicMayHaveTheTimeInIt) {
  for (const char* topic : {"logs-%Y.%m.%d", "{{ source }}-%F", "logs-%s"}) {
    EXPECT_TRUE(
        load_text(with("", std::string("bootstrap_servers: a\n    topic: \"") + topic + "\"", "kafka"))
            .config)
        << topic;
  }
}

TEST(LoadTest, TransformsMayBeThereAndEmpty) {
  EXPECT_TRUE(load_text("transforms:\n" + with()).config);
  EXPECT_TRUE(load_text("transforms: {}\n" + with()).config);
}

// What is wrong inside of an expression is shown where it is.
TEST(LoadTest, ExpressionsAreCheckedInPlace) {
  const auto transforms = [](const std::string& text) {
    std::string config = with();
    config.replace(config.find("[app]"), 5, "[t]");
    return said(load_text("transforms:\n" + text + config));
  };
  EXPECT_THAT(
      transforms("  t: {type: filter, inputs: [app], condition: 'mesage == \"a\"'}\n"),
      ElementsAre(StartsWith("2:48: condition: there is no field \"mesage\" [did you mean message?")));
  EXPECT_THAT(transforms("  j: {type: parse_json, inputs: [app]}\n"
                         "  t: {type: set, inputs: [j], fields: {a: 'b + 1', c: 'size(1)'}}\n"),
              ElementsAre(StartsWith("3:56: fields.c: size is not defined for (int)")));
  EXPECT_THAT(transforms("  t:\n    type: filter\n    inputs: [app]\n    condition: message ==\n"),
              ElementsAre(StartsWith("5:26: condition: ")));
  EXPECT_THAT(transforms("  t: {type: parse_regex, inputs: [app], pattern: '(?<a>'}\n"),
              ElementsAre(StartsWith("2:50: pattern: ")));
  EXPECT_THAT(transforms("  t: {type: parse_csv, inputs: [app], columns: [a], types: {a: number}}\n"),
              ElementsAre(StartsWith("2:64: types.a: there is no type \"number\"")));
}

TEST(LoadTest, OutputsOfTransformsAreInputs) {
  const auto inputs = [](const std::string& text) {
    std::string config = with();
    config.replace(config.find("[app]"), 5, text);
    return said(
        load_text("transforms:\n  r: {type: route, inputs: [app], routes: {err: 'message == \"x\"'}}\n"
                  "  j: {type: parse_json, inputs: [r._unmatched], on_error: route}\n" +
                  config));
  };
  EXPECT_THAT(inputs("[r.err, j, j.failed]"), IsEmpty());
  EXPECT_THAT(inputs("[r.er, j]"), ElementsAre(StartsWith("12:14: inputs: \"r\" has no output \"er\"")));
  EXPECT_THAT(inputs("[r.err, j.none]"),
              ElementsAre(StartsWith("12:21: inputs: \"j\" has no output \"none\"")));
  EXPECT_THAT(inputs("[r]"), Contains(StartsWith("12:14: inputs: \"r\" has no output \"\"")));
  EXPECT_THAT(inputs("[r.err]"), ElementsAre(StartsWith("3:3: warning: transform \"j\" is not used")));
}

TEST(LoadTest, InputsMustNameSources) {
  const auto inputs = [](const std::string& text) {
    std::string config = with();
    config.replace(config.find("[app]"), 5, text);
    return said(load_text(config));
  };
  EXPECT_THAT(inputs("[ap]"), Contains("9:14: inputs: unknown input \"ap\" [did you mean \"app\"?]"));
  EXPECT_THAT(inputs("zzz"), Contains("9:13: inputs: unknown input \"zzz\" [\"app\"]"));
  EXPECT_THAT(inputs("[app, app]"), ElementsAre(StartsWith("9:19: inputs: \"app\" stands twice")));
  EXPECT_THAT(inputs("[app, out]"), ElementsAre("9:19: inputs: \"out\" is its own input"));
  EXPECT_THAT(inputs("[]"), Contains(StartsWith("9:13: inputs is empty")));
  EXPECT_THAT(inputs(""), Contains(StartsWith("9:5: inputs is empty")));
}

TEST(LoadTest, AnUnusedSourceIsAWarning) {
  std::string config = with();
  config.insert(config.find("sinks:"), "  other: {type: file, include: /x}\n");
  const LoadedConfig loaded = load_text(config);
  EXPECT_TRUE(loaded.config);
  EXPECT_THAT(said(loaded),
              ElementsAre("6:3: warning: source \"other\" is not used: nobody has it among its inputs"));
}

TEST(LoadTest, ASinkNeedsInputs) {
  std::string config = with();
  config.erase(config.find("    inputs"), 18);
  EXPECT_THAT(said(load_text(config)),
              Contains(StartsWith("7:3: sink \"out\" (type blackhole) needs \"inputs\"")));
}

TEST(LoadTest, NothingToReadOrToDeliverToIsAnError) {
  EXPECT_THAT(said(load_text("")), ElementsAre(StartsWith("1:1: no sources"), StartsWith("1:1: no sinks")));
  EXPECT_THAT(said(load_text("sources:\nsinks: {}\n")), SizeIs(2));
  EXPECT_THAT(said(load_text("# only a comment\n")), SizeIs(2));
}

TEST(LoadTest, CyclesAreNamed) {
  const LoadedConfig loaded = load_text(
      "transforms: {a: {type: remove, inputs: [b]}, b: {type: remove, inputs: [c]}, c: {type: remove, "
      "inputs: [a]}}\n" +
      with());
  EXPECT_THAT(said(loaded), Contains(HasSubstr("inputs form a cycle: a <- c <- b <- a")));
}

TEST(LoadTest, NamesAreCheckedAndNotShared) {
  EXPECT_THAT(
      said(load_text(
          "sources: {\"a b\": {type: file, include: /x}}\nsinks: {o: {type: console, inputs: \"a b\"}}\n")),
      ElementsAre(StartsWith("1:11: \"a b\" is not a component's name")));
  EXPECT_THAT(
      said(load_text("sources: {a: {type: file, include: /x}}\nsinks: {a: {type: console, inputs: a}}\n")),
      Contains("2:9: the name \"a\" is taken [a name of its own for each component] [first defined at "
               "f.yaml:1:11]"));
  EXPECT_THAT(said(load_text("sources: {a: {type: file, include: /x}, a: {type: file, include: /y}}\nsinks: "
                             "{o: {type: console, inputs: a}}\n")),
              ElementsAre("1:41: duplicate name \"a\" in sources [first defined at f.yaml:1:11]"));
}

TEST(LoadTest, TwoSinksNeverShareAFile) {
  EXPECT_THAT(
      said(load_text(with("", "path: /x/y", "file") + "  two: {type: file, inputs: app, path: /x/y}\n")),
      ElementsAre(StartsWith("11:40: path: /x/y is written by sink \"out\" too")));
  EXPECT_THAT(said(load_text(with("", "path: /x/y", "file") +
                             "  two: {type: file, inputs: app, path: /x/z/.././y}\n")),
              ElementsAre(StartsWith("11:40: path: /x/z/.././y is written by sink \"out\" too")));
  const std::string here = std::filesystem::current_path().string();
  EXPECT_THAT(said(load_text(with("", "path: " + here + "/y", "file") +
                             "  two: {type: file, inputs: app, path: y}\n")),
              ElementsAre(StartsWith("11:40: path: y is written by sink \"out\" too")));
}

TEST(LoadTest, ASinkNeverFeedsItsOwnSource) {
  EXPECT_THAT(
      said(load_text(with("", "path: /logs/../logs/out.log", "file"))),
      ElementsAre(StartsWith("10:11: path: /logs/../logs/out.log is among the files of source \"app\"")));
  EXPECT_TRUE(load_text(with("exclude: /logs/out.log", "path: /logs/out.log", "file")).config);
  EXPECT_TRUE(load_text(with("", "path: /logs/out.txt", "file")).config);
}

TEST(LoadTest, LabelsNamedAsAFieldAreTold) {
  const LoadedConfig loaded = load_text(with("", "labels: {message: x, host: y, env: z}"));
  EXPECT_TRUE(loaded.config);
  EXPECT_THAT(said(loaded),
              ElementsAre("10:14: warning: labels: \"message\" is left out: it is the event itself",
                          "10:26: warning: labels: \"host\" takes the place of each event's own"));
  EXPECT_THAT(said(load_text(with("", "encoding: raw\n    labels: {host: y}"))), ElementsAre());
}

TEST(LoadTest, AValueIsBounded) {
  EXPECT_THAT(said(load_text(with("", "path: " + std::string(70'000, 'x'), "file"))),
              ElementsAre("10:11: path: 70000 bytes are too long [at most 64KiB]"));
}

TEST(LoadTest, AllMistakesAreReportedAtOnce) {
  EXPECT_THAT(said(load_text("memry_limit: 1MiB\n" + with("inclde: [x]", "encoding: xml"))),
              ElementsAre(StartsWith("1:1: "), StartsWith("6:5: "), StartsWith("11:15: ")));
}

TEST(LoadTest, VariablesExpandInValues) {
  const LoadedConfig loaded =
      load_text(with("exclude: [\"${DIR}/*.gz\", \"a$$b\", '^x$', \"${NONE:-}y\", \"${EMPTY:-d}\"]",
                     "encoding: ${ENC:-raw}"),
                {{"DIR", "/var: #log"}, {"EMPTY", ""}});
  ASSERT_TRUE(loaded.config) << render(loaded.diagnostics);
  EXPECT_THAT(source(loaded).exclude, ElementsAre("/var: #log/*.gz", "a$b", "^x$", "y", "d"));
  EXPECT_EQ(sink<BlackholeSinkConfig>(loaded).encoding, Encoding::kRaw);
}

TEST(LoadTest, AMisspeltVariableIsGuessed) {
  EXPECT_THAT(said(load_text(with("exclude: ${LOGDIR}"), {{"LOG_DIR", "x"}})),
              ElementsAre(HasSubstr("did you mean \"LOG_DIR\"?")));
}

class LoadFilesTest : public ::testing::Test {
 protected:
  LoadFilesTest() {
    std::string name = (std::filesystem::temp_directory_path() / "logflume-config-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
  }
  ~LoadFilesTest() override { std::filesystem::remove_all(directory_); }

  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(path(name)) << text;
    return path(name);
  }
  std::string path(const std::string& name) const { return directory_ + "/" + name; }

  std::string directory_;
};

constexpr const char* kSource = "sources: {app: {type: file, include: /x}}\n";
constexpr const char* kSink = "sinks: {out: {type: console, inputs: app}}\n";

TEST_F(LoadFilesTest, FilesAndDirectoriesAreMerged) {
  std::filesystem::create_directory(path("conf.d"));
  write("conf.d/20-sinks.yml", kSink);
  write("conf.d/10-sources.yaml", kSource);
  write("conf.d/ignored.txt", "not yaml: [");
  write("conf.d/.hidden.yaml", "not yaml: [");
  const std::string base =
      write("base.yaml", "data_dir: " + directory_ + "/data\nsources: {b: {type: file, include: /y}}\n");
  const LoadedConfig loaded = load_config({base, path("conf.d")}, Environment());
  ASSERT_TRUE(loaded.config) << render(loaded.diagnostics);
  EXPECT_THAT(loaded.config->sources, SizeIs(2));
  EXPECT_FALSE(std::filesystem::exists(path("data"))) << "loading creates nothing";
}

TEST_F(LoadFilesTest, WhatIsDefinedTwiceNamesBothPlaces) {
  const std::string top = "data_dir: " + directory_ + "\n";
  const std::string first = write("a.yaml", top + kSource + kSink);
  const std::string second = write("b.yaml", top + kSource);
  const LoadedConfig loaded = load_config({first, second}, Environment());
  ASSERT_THAT(loaded.diagnostics, SizeIs(2));
  EXPECT_EQ(loaded.diagnostics[0].file, second);
  EXPECT_EQ(loaded.diagnostics[0].message, "duplicate key \"data_dir\"");
  EXPECT_EQ(loaded.diagnostics[0].hint, "first defined at " + first + ":1:1");
  EXPECT_EQ(loaded.diagnostics[1].message, "duplicate name \"app\" in sources");
  EXPECT_EQ(loaded.diagnostics[1].hint, "first defined at " + first + ":2:11");
}

TEST_F(LoadFilesTest, WhatCannotBeReadIsADiagnostic) {
  std::filesystem::create_directory(path("empty"));
  const LoadedConfig loaded = load_config({path("absent.yaml"), path("empty")}, Environment());
  EXPECT_FALSE(loaded.config);
  EXPECT_EQ(render(loaded.diagnostics),
            path("absent.yaml") + ": error: cannot be read: No such file or directory\n" + path("empty") +
                ": error: the directory holds no *.yaml or *.yml\n");
  EXPECT_FALSE(load_config({}, Environment()).config);
}

TEST_F(LoadFilesTest, AFileThatIsTooLargeIsRefused) {
  const LoadedConfig loaded =
      load_config({write("big.yaml", std::string(kConfigFileBytesMax + 1, '#'))}, Environment());
  ASSERT_THAT(loaded.diagnostics, SizeIs(1));
  EXPECT_EQ(loaded.diagnostics[0].message, "larger than 10 MiB");
}

TEST_F(LoadFilesTest, ErrorsOfAllFilesAreReportedThoughOneIsBroken) {
  const std::string broken = write("a.yaml", "sources: [\n");
  const std::string other = write("b.yaml", "inclde: 1\ndata_dir: " + directory_ + "\n" + kSink);
  const LoadedConfig loaded = load_config({broken, other}, Environment());
  ASSERT_THAT(loaded.diagnostics, SizeIs(2)) << render(loaded.diagnostics);
  EXPECT_THAT(loaded.diagnostics[0].message, StartsWith("not valid YAML: "));
  EXPECT_THAT(loaded.diagnostics[1].message, StartsWith("unknown key \"inclde\""));
}

TEST_F(LoadFilesTest, DirectoriesThatCannotWorkAreNamed) {
  write("file", "");
  const auto data_dir = [&](const std::string& value) {
    return said(load_config({write("f.yaml", "data_dir: " + value + "\n" + kSource + kSink)}, Environment()));
  };
  EXPECT_THAT(data_dir(path("new")), IsEmpty());
  EXPECT_THAT(data_dir(path("no/where")),
              ElementsAre("1:11: data_dir: " + path("no/where") + " cannot be created: its parent " +
                          path("no") + " does not exist"));
  EXPECT_THAT(data_dir(path("file")), ElementsAre("1:11: data_dir: " + path("file") + " is not a directory"));
  EXPECT_THAT(data_dir(path("file/x")), ElementsAre(HasSubstr("Not a directory")));
  if (::geteuid() != 0) {
    std::filesystem::create_directory(path("locked"));
    ::chmod(path("locked").c_str(), 0500);
    EXPECT_THAT(data_dir(path("locked")), ElementsAre(HasSubstr("is not writable: Permission denied")));
    EXPECT_THAT(data_dir(path("locked/x")), ElementsAre(HasSubstr("is not writable: Permission denied")));
  }
}

TEST_F(LoadFilesTest, OutputFilesAndCertificatesThatCannotWorkAreNamed) {
  write("file", "");
  const auto sink_says = [&](const std::string& keys) {
    return said(load_config({write("f.yaml", "data_dir: " + directory_ + "\n" + kSource +
                                                 "sinks: {out: {inputs: app, " + keys + "}}\n")},
                            Environment()));
  };
  EXPECT_THAT(sink_says("type: file, path: " + path("a/b/c")), IsEmpty());
  EXPECT_THAT(sink_says("type: file, path: " + directory_),
              ElementsAre(AllOf(StartsWith("3:"), HasSubstr("is a directory"))));
  EXPECT_THAT(sink_says("type: file, path: " + path("file/x/y")), ElementsAre(HasSubstr("ot a directory")));
  EXPECT_THAT(sink_says("type: tcp, address: \"h:1\", tls: {enabled: true, ca_file: " + path("none") + "}"),
              ElementsAre(HasSubstr("tls.ca_file: " + path("none") + ": No such file")));
  EXPECT_THAT(sink_says("type: tcp, address: \"h:1\", tls: {enabled: true, ca_file: " + path("file") + "}"),
              ElementsAre(AllOf(StartsWith("3:85: tls.ca_file " + path("file") + ": "))));
}

}  // namespace
}  // namespace logflume
