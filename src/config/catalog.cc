#include "config/catalog.h"

#include <fmt/format.h>

#include "checkpoint/audit_journal.h"
#include "config/checks.h"
#include "config/feedback.h"
#include "multiline/multiline_description.h"

namespace logflume {
namespace {

// REQUIRES: `Struct` is an alternative of `Any`.
template <typename Struct, typename Any>
ComponentType<Any> component(std::string name, ObjectDescription description) {
  return {std::move(name), std::move(description), [] { return Any(Struct{}); },
          [](Any& any) -> void* { return std::get_if<Struct>(&any); }, Any(Struct{}).index()};
}

// A sink whose default linger is `linger` (semantics 23).
template <typename Struct>
ComponentType<AnySinkConfig> sink(std::string name, Duration linger, ObjectDescription description) {
  ComponentType<AnySinkConfig> type =
      component<Struct, AnySinkConfig>(std::move(name), std::move(description));
  type.make = [linger] {
    Struct made;
    made.batch.linger = linger;
    return AnySinkConfig(std::move(made));
  };
  return type;
}

ObjectDescription describe_log() {
  Describe<Config> log("The agent's own log, on stderr.");
  log.choice("level", &Config::log_level,
             {{"trace", LogLevel::kTrace},
              {"debug", LogLevel::kDebug},
              {"info", LogLevel::kInfo},
              {"warn", LogLevel::kWarn},
              {"error", LogLevel::kError}},
             "The least severe message that is written.");
  log.choice("format", &Config::log_format, {{"text", LogFormat::kText}, {"json", LogFormat::kJson}},
             "Text for people, or a JSON object a line.");
  return std::move(log).done();
}

ObjectDescription describe_api() {
  Describe<ApiConfig> api("The HTTP endpoints `/livez`, `/readyz`, `/healthz` and `/metrics`.");
  api.field("enabled", &ApiConfig::enabled, "Serve them.");
  api.field("listen", &ApiConfig::listen, "The address to serve them on.")
      .must(check_listen_address, "host:port, as in 127.0.0.1:8686");
  return std::move(api).done();
}

ObjectDescription describe_audit() {
  Describe<AuditConfig> audit("The journal of `logflume audit --find`, in `data_dir/audit`.");
  audit.field(
      "enabled", &AuditConfig::enabled,
      "Note when each batch is read and when each sink acknowledges it, and the names that files had.");
  audit
      .bytes("max_bytes", &AuditConfig::max_bytes,
             "The most that it takes on disk. The oldest goes first; a batch takes some 20 bytes.")
      .at_least(AuditJournal::kMaxBytesMin);
  return std::move(audit).done();
}

ObjectDescription describe_top_level() {
  Describe<Config> top("");
  top.field("data_dir", &Config::data_dir,
            "Where checkpoints are kept. Created when it is missing; its parent must exist. One agent at a "
            "time.")
      .must(check_not_empty, "a directory")
      .must(check_no_nul, "a directory");
  top.bytes("memory_limit", &Config::memory_limit,
            "Budget for everything that is read and not yet delivered. When it is full, sources wait.")
      .at_least(16ULL << 20);
  top.field("shutdown_timeout", &Config::shutdown_timeout,
            "How long a stop waits for acknowledgements. What is left then is read again by the next start.");
  top.field("max_open_files", &Config::max_open_files,
            "Log files held open at a time. More files than that are read in turn.")
      .at_least(1)
      .at_most(10'000'000);
  top.bytes("rate_limit", &Config::rate_limit, "Bytes a second that all sources together may read.")
      .at_least(1)
      .absent_is("unlimited")
      .example_is("200MiB");
  top.field("latency", &Config::latency,
            "How long a line may take from the write to the send, where sources and sinks say nothing of it: "
            "the longer, the less CPU.")
      .at_least(1ms)
      .at_most(10s)
      .absent_is("as soon as possible")
      .example_is("5ms");
  top.group("log", describe_log(), "The agent's own log, on stderr.");
  top.object("api", &Config::api, describe_api(), "HTTP endpoints for health and metrics.");
  top.object("audit", &Config::audit, describe_audit(), "The journal of what became of which batch when.");
  top.check([](const Config& config, Findings& findings) {
    if (!findings.check_paths()) return;
    if (std::string wrong = check_data_dir(config.data_dir); !wrong.empty()) {
      findings.error("data_dir", findings.given("data_dir")
                                     ? "data_dir: " + wrong
                                     : "data_dir is not set, and its default " + wrong);
    }
  });
  return std::move(top).done();
}

ObjectDescription describe_deleted_files() {
  Describe<DeletedFilesConfig> deleted("Files that are deleted before they were read to their end.");
  deleted.bytes("max_bytes", &DeletedFilesConfig::max_bytes,
                "Unread bytes of deleted files that are held open. What exceeds it is counted as lost.");
  deleted.field("max_age", &DeletedFilesConfig::max_age,
                "How long a deleted file is held open for a sink that is behind.");
  return std::move(deleted).done();
}

ObjectDescription multiline_object() {
  Describe<MultilineConfig> multiline("Lines that belong together become one event.");
  describe_multiline(multiline, "`max_line_bytes` cuts the whole event off");
  return std::move(multiline).done();
}

}  // namespace

ObjectDescription describe_file_source() {
  Describe<FileSourceConfig> file(
      "Tails files: through rotation by rename, copytruncate and compression, from where the checkpoint "
      "stands.");
  file.field("include", &FileSourceConfig::include,
             "Globs of the files to read: `*`, `?`, `[a-z]`, `{a,b}`, and `**` for any number of "
             "directories. A glob "
             "that matches nothing yet is no error.")
      .required()
      .must(check_not_empty, "a glob, as in /var/log/app/*.log")
      .must(check_no_nul, "a glob, as in /var/log/app/*.log")
      .must(check_glob, "a glob, as in /var/log/app/*.log")
      .example_is("[\"/var/log/app/*.log\"]");
  file.field("exclude", &FileSourceConfig::exclude,
             "Globs of files that are left out though `include` names them.")
      .must(check_not_empty, "a glob, as in /var/log/app/*.debug.log")
      .must(check_no_nul, "a glob, as in /var/log/app/*.debug.log")
      .must(check_glob, "a glob, as in /var/log/app/*.debug.log")
      .example_is("[\"/var/log/app/*.debug.log\"]");
  file.field("formerly", &FileSourceConfig::formerly,
             "The name that this source had before: its checkpoints go on under the new one.")
      .must(check_not_empty, "a name that no component has now")
      .absent_is("it had no other")
      .example_is("old_name");
  file.choice(
      "start_at", &FileSourceConfig::start_at, {{"beginning", StartAt::kBeginning}, {"end", StartAt::kEnd}},
      "Where to begin in files that are there at the first start. Files with a checkpoint go on at it; files "
      "that come later are read from the beginning.");
  file.choice("read_mode", &FileSourceConfig::read_mode,
              {{"auto", ReadMode::kAuto},
               {"pread", ReadMode::kPread},
               {"mmap", ReadMode::kMmap},
               {"io_uring", ReadMode::kIoUring}},
              "How bytes are read. `auto` takes what was measured to be best and says so in the log.");
  file.bytes("rate_limit", &FileSourceConfig::rate_limit, "Bytes a second that this source may read.")
      .at_least(1)
      .absent_is("unlimited")
      .example_is("50MiB");
  file.bytes("file_rate_limit", &FileSourceConfig::file_rate_limit,
             "Bytes a second that may be read of one file.")
      .at_least(1)
      .absent_is("unlimited")
      .example_is("10MiB");
  file.bytes("max_line_bytes", &FileSourceConfig::max_line_bytes,
             "Longer events are cut to this many bytes, newline not counted, and counted in "
             "`logflume_truncated_events_total`.")
      .at_least(1)
      .at_most(1ULL << 30);
  file.field("strip_cr", &FileSourceConfig::strip_cr,
             "Drop a carriage return before the newline that ends an event.");
  file.field("ignore_older", &FileSourceConfig::ignore_older,
             "Files that were last written longer ago than this are not read when they are found, unless "
             "they have "
             "a checkpoint.")
      .at_least(1s)
      .absent_is("read files of any age")
      .example_is("24h");
  file.field(
          "close_inactive", &FileSourceConfig::close_inactive,
          "Close the handle of a file that was quiet for so long. It is opened again when it is written to.")
      .at_least(1s)
      .absent_is("handles are closed when `max_open_files` asks for it")
      .example_is("5m");
  file.field("rotate_wait", &FileSourceConfig::rotate_wait,
             "A file that was renamed out of the globs is followed until it was quiet for so long.");
  file.field("rescan_interval", &FileSourceConfig::rescan_interval,
             "How often the directories are listed, for what inotify missed and where inotify cannot be had.")
      .at_least(10ms);
  file.field("coalesce", &FileSourceConfig::coalesce,
             "The least time between two reads while a file is written to all the time: longer costs less "
             "CPU and adds as much latency. Four times as long while more than 4 files change in each "
             "millisecond.")
      .at_most(10s);
  file.field("latency", &FileSourceConfig::latency,
             "How long a line may take from the write to the send. The agent uses it to read many lines at "
             "once, which costs less CPU than to read each when it comes. It takes the place of `coalesce`.")
      .at_least(1ms)
      .at_most(10s)
      .absent_is("that of its sinks or of all, else as soon as possible")
      .example_is("5ms");
  file.object("deleted_files", &FileSourceConfig::deleted_files, describe_deleted_files(),
              "What deleted files may hold back.");
  file.object(
      "multiline", &FileSourceConfig::multiline, multiline_object(),
      "Lines that belong together, as those of a stack trace, become one event, their newlines kept.");
  file.check([](const FileSourceConfig& config, Findings& findings) {
    if (findings.given("multiline") && !config.multiline.enabled()) {
      findings.error("multiline", "multiline needs a pattern or a preset",
                     "start_pattern, continue_pattern, end_pattern or preset");
    }
    if (config.multiline.inside != MultilineInside::kNothing &&
        config.multiline.inside != config.multiline.wrapper()) {
      findings.misnamed("multiline.inside", "multiline.inside and this multiline.preset exclude each other",
                        "the same of both, or one of them");
    }
    for (const char* pattern : {"start_pattern", "continue_pattern", "end_pattern"}) {
      const std::string key = fmt::format("multiline.{}", pattern);
      if (config.multiline.preset != MultilinePreset::kNone && findings.given(key)) {
        findings.misnamed(key, fmt::format("{} and multiline.preset exclude each other", key), "one of them");
      }
    }
  });
  return std::move(file).done();
}

const ObjectDescription& top_level() {
  static const ObjectDescription description = describe_top_level();
  return description;
}

const std::vector<ComponentType<AnySourceConfig>>& source_types() {
  static const std::vector<ComponentType<AnySourceConfig>> types = [] {
    std::vector<ComponentType<AnySourceConfig>> all;
    all.push_back(component<FileSourceConfig, AnySourceConfig>("file", describe_file_source()));
    return all;
  }();
  return types;
}

const std::vector<ComponentType<AnySinkConfig>>& sink_types() {
  static const std::vector<ComponentType<AnySinkConfig>> types = [] {
    std::vector<ComponentType<AnySinkConfig>> all;
    all.push_back(sink<BlackholeSinkConfig>("blackhole", 0ms, describe_blackhole_sink()));
    all.push_back(sink<ConsoleSinkConfig>("console", 0ms, describe_console_sink()));
    all.push_back(sink<FileSinkConfig>("file", 0ms, describe_file_sink()));
    all.push_back(sink<TcpSinkConfig>("tcp", 0ms, describe_tcp_sink()));
    all.push_back(sink<HttpSinkConfig>("http", 500ms, describe_http_sink()));
    all.push_back(sink<KafkaSinkConfig>("kafka", 50ms, describe_kafka_sink()));
    return all;
  }();
  return types;
}

}  // namespace logflume
