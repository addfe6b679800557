#include "topology/components.h"

#include "sink/blackhole_sink.h"
#include "sink/console_sink.h"
#include "sink/file_sink.h"
#include "sink/http_sink.h"
#include "sink/kafka_sink.h"
#include "sink/tcp_sink.h"
#include "source/file_source.h"

namespace logflume {
namespace {

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

}  // namespace

std::unique_ptr<Source> make_source(const AnySourceConfig& config, SourceContext context) {
  return std::visit(
      Overloaded{[&](const FileSourceConfig& file) { return make_file_source(file, std::move(context)); }},
      config);
}

std::unique_ptr<Sink> make_sink(const AnySinkConfig& config, SinkContext context) {
  return std::visit(
      Overloaded{
          [&](const BlackholeSinkConfig& sink) { return make_blackhole_sink(sink, std::move(context)); },
          [&](const ConsoleSinkConfig& sink) { return make_console_sink(sink, std::move(context)); },
          [&](const FileSinkConfig& sink) { return make_file_sink(sink, std::move(context)); },
          [&](const TcpSinkConfig& sink) { return make_tcp_sink(sink, std::move(context)); },
          [&](const HttpSinkConfig& sink) { return make_http_sink(sink, std::move(context)); },
          [&](const KafkaSinkConfig& sink) { return make_kafka_sink(sink, std::move(context)); },
      },
      config);
}

std::string_view type_name(const AnySourceConfig& config) {
  return std::visit(Overloaded{[](const FileSourceConfig&) { return "file"; }}, config);
}

std::string_view type_name(const AnySinkConfig& config) {
  return std::visit(
      Overloaded{[](const BlackholeSinkConfig&) { return "blackhole"; },
                 [](const ConsoleSinkConfig&) { return "console"; },
                 [](const FileSinkConfig&) { return "file"; }, [](const TcpSinkConfig&) { return "tcp"; },
                 [](const HttpSinkConfig&) { return "http"; },
                 [](const KafkaSinkConfig&) { return "kafka"; }},
      config);
}

bool may_share_thread(const AnySinkConfig& config) {
  if (std::holds_alternative<BlackholeSinkConfig>(config)) return true;
  const auto* tcp = std::get_if<TcpSinkConfig>(&config);
  return tcp != nullptr && tcp->encoding == Encoding::kRaw && tcp_never_blocks(*tcp);
}

}  // namespace logflume
