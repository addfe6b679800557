#include "cli/tail_config.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/host_port.h"
#include "config/catalog.h"

namespace logflume {
namespace {

constexpr const char* kDestinations =
    "expected console, file:PATH, tcp://HOST:PORT, http://..., https://... or "
    "kafka://HOST:PORT[,HOST:PORT]/TOPIC";

std::string absolute(const std::string& path, const std::string& directory) {
  return path.starts_with('/') ? path : (std::filesystem::path(directory) / path).lexically_normal().string();
}

// A sink of this type with the defaults of its type.
template <typename Sink>
Sink defaults() {
  for (const ComponentType<AnySinkConfig>& type : sink_types()) {
    AnySinkConfig made = type.make();
    if (Sink* sink = std::get_if<Sink>(&made)) return std::move(*sink);
  }
  return {};
}

Error refuse(const std::string& to, std::string_view why) {
  return {Errc::kInvalidArgument, 0, fmt::format("--to {}: {}; {}", to, why, kDestinations)};
}

Result<AnySinkConfig> destination(const TailRequest& request) {
  const std::string& to = request.to;
  if (to == "console" || to == "-") return AnySinkConfig(defaults<ConsoleSinkConfig>());
  if (to.starts_with("file:")) {
    std::string path = to.substr(to.starts_with("file:///") ? 7 : 5);
    if (path.empty()) return refuse(to, "the path is missing");
    if (path.starts_with("//")) return refuse(to, "a file URI has three slashes, as in file:///tmp/out.log");
    auto sink = defaults<FileSinkConfig>();
    sink.path = absolute(path, request.directory);
    return AnySinkConfig(std::move(sink));
  }
  if (to.starts_with("tcp://")) {
    std::string address = to.substr(6);
    if (address.ends_with('/')) address.pop_back();
    if (const auto parsed = parse_host_port(address); !parsed)
      return refuse(to, parsed.error().message + "; it is tcp://HOST:PORT");
    auto sink = defaults<TcpSinkConfig>();
    sink.addresses = {std::move(address)};
    return AnySinkConfig(std::move(sink));
  }
  if (to.starts_with("http://") || to.starts_with("https://")) {
    auto sink = defaults<HttpSinkConfig>();
    sink.uri = to;
    return AnySinkConfig(std::move(sink));
  }
  if (to.starts_with("kafka://")) {
    const std::string rest = to.substr(8);
    const std::size_t slash = rest.find('/');
    if (slash == std::string::npos || slash + 1 == rest.size()) return refuse(to, "the topic is missing");
    auto sink = defaults<KafkaSinkConfig>();
    sink.bootstrap_servers = rest.substr(0, slash);
    sink.topic = rest.substr(slash + 1);
    return AnySinkConfig(std::move(sink));
  }
  return refuse(to, "not a destination");
}

}  // namespace

Result<Config> tail_config(const TailRequest& request) {
  Result<AnySinkConfig> sink = destination(request);
  if (!sink) return std::move(sink).error();
  std::visit(
      [](auto& one) {
        one.inputs = {"tail"};
        one.encoding = Encoding::kRaw;
      },
      *sink);

  FileSourceConfig source;
  for (const std::string& pattern : request.patterns)
    source.include.push_back(absolute(pattern, request.directory));
  source.start_at = request.from_end ? StartAt::kEnd : StartAt::kBeginning;

  Config config;
  config.data_dir = absolute(request.data_dir, request.directory);
  config.audit.enabled = false;  // who would ask, and where?
  // Who looks at lines wants to see lines, and what went wrong.
  config.log_level = LogLevel::kWarn;
  config.sources.emplace("tail", std::move(source));
  config.sinks.emplace("out", std::move(*sink));
  return config;
}

}  // namespace logflume
