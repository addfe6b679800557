#include "config/plan.h"

namespace logflume {
namespace {

// The fields that a sink makes something of.
WantedFields wanted_by(const AnySinkConfig& config) {
  WantedFields wanted;
  // A blackhole asks for all, so that it shows what the rest costs.
  wanted.all =
      common(config).encoding != Encoding::kRaw || std::holds_alternative<BlackholeSinkConfig>(config);
  return wanted;
}

}  // namespace

const SinkConfig& common(const AnySinkConfig& config) {
  return std::visit([](const auto& sink) -> const SinkConfig& { return sink; }, config);
}

std::variant<std::shared_ptr<const TransformPlan>, std::vector<PlanError>> plan_transforms(
    const Config& config) {
  TransformPlan::Sinks sinks;
  for (const auto& [name, sink] : config.sinks) sinks[name] = {common(sink).inputs, wanted_by(sink)};
  return TransformPlan::compile(config.transforms, sinks);
}

bool feeds(const Config& config, const std::string& source, const std::string& sink) {
  return config.plan->feeds(source, sink);
}

}  // namespace logflume
