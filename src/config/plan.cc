#include "config/plan.h"

#include "transform/condition.h"

namespace logflume {
namespace {

// The fields that a sink makes something of.
WantedFields wanted_by(const AnySinkConfig& config) {
  WantedFields wanted;
  // A blackhole asks for all, so that it shows what the rest costs.
  wanted.all =
      common(config).encoding != Encoding::kRaw || std::holds_alternative<BlackholeSinkConfig>(config);
  for (const SinkTemplate& one : event_templates(config)) {
    for (const std::string& field : one.parsed.fields()) {
      const auto expression = Expression::of_field(field, FieldSchema{});
      if (const auto* const read = std::get_if<Expression>(&expression)) add_needs(*read, wanted);
    }
  }
  return wanted;
}

}  // namespace

const SinkConfig& common(const AnySinkConfig& config) {
  return std::visit([](const auto& sink) -> const SinkConfig& { return sink; }, config);
}

std::vector<SinkTemplate> event_templates(const AnySinkConfig& config) {
  std::vector<SinkTemplate> templates;
  const auto add = [&](const std::string& key, const std::string& text, bool with_time) {
    auto parsed = Template::parse(text, common(config).labels, with_time);
    if (parsed && !parsed->fields().empty()) templates.push_back({key, std::move(*parsed)});
  };
  if (const auto* const file = std::get_if<FileSinkConfig>(&config)) add("path", file->path, true);
  if (const auto* const kafka = std::get_if<KafkaSinkConfig>(&config)) {
    add("topic", kafka->topic, true);
    add("key", kafka->key, false);
    for (const auto& [name, text] : kafka->headers) add("headers." + name, text, false);
  }
  return templates;
}

std::vector<UnknownField> unknown_fields(const Config& config) {
  std::vector<UnknownField> unknown;
  for (const auto& [name, sink] : config.sinks) {
    const std::vector<SinkTemplate> templates = event_templates(sink);
    if (templates.empty()) continue;
    const FieldSchema schema = config.plan->schema_of(name);
    std::vector<std::string> others;
    for (const auto& [field, type] : schema.fields) others.push_back(field);
    for (const SinkTemplate& one : templates) {
      for (std::size_t i = 0; i < one.parsed.fields().size(); ++i) {
        const auto expression = Expression::of_field(one.parsed.fields()[i], schema);
        if (std::holds_alternative<Expression>(expression)) continue;
        unknown.push_back({name, one.key, one.parsed.unknown_field(i, common(sink).labels, others).message});
      }
    }
  }
  return unknown;
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
