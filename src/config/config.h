// A whole configuration, typed. Made by load_config() (config/load.h), consumed by the topology.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "checkpoint/audit_config.h"
#include "config/test_cases.h"
#include "sink/sink_config.h"
#include "source/file_source_config.h"
#include "telemetry/log.h"
#include "transform/registry.h"

namespace logflume {

// Grows by one alternative for each type of component.
using AnySourceConfig = std::variant<FileSourceConfig>;
using AnySinkConfig = std::variant<BlackholeSinkConfig, ConsoleSinkConfig, FileSinkConfig, TcpSinkConfig,
                                   HttpSinkConfig, KafkaSinkConfig>;

class TransformPlan;

struct ApiConfig {
  bool enabled = false;
  std::string listen = "127.0.0.1:8686";
  bool operator==(const ApiConfig&) const = default;
};

struct Config {
  std::string data_dir = "/var/lib/logflume";
  std::uint64_t memory_limit = 256ULL * 1024 * 1024;  // at least 16 MiB
  Duration shutdown_timeout = std::chrono::seconds(30);
  std::uint64_t max_open_files = 1024;
  std::optional<std::uint64_t> rate_limit;  // bytes a second, all sources together
  std::optional<Duration> latency;          // of sinks that say nothing of it
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
  ApiConfig api;
  AuditConfig audit;
  std::map<std::string, AnySourceConfig> sources;
  std::map<std::string, AnyTransformConfig> transforms;
  std::map<std::string, AnySinkConfig> sinks;
  std::vector<TestCase> tests;  // for `logflume test`; an agent that runs does not look at them
  // The transforms, compiled, and who feeds whom: plan_transforms() (config/plan.h). Not compared.
  std::shared_ptr<const TransformPlan> plan;
};

}  // namespace logflume
