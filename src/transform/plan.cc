#include "transform/plan.h"

#include <algorithm>

namespace logflume {
namespace {

void add(WantedFields& wanted, const WantedFields& more) {
  wanted.all |= more.all;
  wanted.names.insert(more.names.begin(), more.names.end());
}

WantedFields nothing() {
  WantedFields none;
  none.all = false;
  return none;
}

// What is known where events of several kinds come together.
FieldSchema joined(const std::vector<const FieldSchema*>& schemas) {
  FieldSchema out = *schemas[0];
  for (const FieldSchema* schema : schemas) {
    out.open |= schema->open;
    out.objects.insert(schema->objects.begin(), schema->objects.end());
    for (const auto& [name, type] : schema->fields) {
      const auto [known, fresh] = out.fields.emplace(name, type);
      if (known->second != type) known->second = ExprType::kDyn;
    }
  }
  return out;
}

}  // namespace

std::pair<std::string_view, std::string_view> split_output(std::string_view input) {
  const std::size_t dot = input.rfind('.');
  if (dot == std::string_view::npos) return {};
  return {input.substr(0, dot), input.substr(dot + 1)};
}

FieldSchema TransformPlan::source_schema() {
  FieldSchema schema;
  schema.open = false;
  schema.fields = {{"message", ExprType::kString},
                   {"file", ExprType::kString},
                   {"source", ExprType::kString},
                   {"host", ExprType::kString},
                   {"timestamp", ExprType::kTimestamp}};
  return schema;
}

std::variant<std::shared_ptr<const TransformPlan>, std::vector<PlanError>> TransformPlan::compile(
    const Transforms& transforms, const Sinks& sinks) {
  const auto plan = std::make_shared<TransformPlan>();
  std::vector<PlanError> errors;
  const FieldSchema of_source = source_schema();

  // Each behind its inputs.
  std::vector<std::string> order;
  std::map<std::string, bool> done;
  const auto visit = [&](const auto& self, const std::string& name) -> void {
    const auto found = transforms.find(name);
    if (found == transforms.end() || !done.emplace(name, true).second) return;
    for (const std::string& input : found->second.inputs()) {
      self(self, transforms.contains(input) ? input : std::string(split_output(input).first));
    }
    order.push_back(name);
  };
  for (const auto& [name, config] : transforms) visit(visit, name);

  std::map<std::string, std::string> metrics;  // who has which
  for (const std::string& name : order) {
    const AnyTransformConfig& config = transforms.at(name);
    Node node;
    node.name = name;
    node.type = type_name(config);
    node.wanted = nothing();
    std::vector<const FieldSchema*> schemas;
    for (const std::string& input : config.inputs()) {
      node.inputs.push_back(plan->resolve(input));
      const Port& port = node.inputs.back();
      schemas.push_back(port.node == Port::kSource ? &of_source
                                                   : &plan->nodes_[port.node].schemas[port.output]);
    }
    node.config = config;
    node.in = schemas.empty() ? of_source : joined(schemas);
    TransformBuilt built = config.build(node.in);
    if (auto* const error = std::get_if<TransformError>(&built)) {
      errors.push_back({name, std::move(*error)});
      // What comes behind it is looked at as if any field could be there.
      node.outputs = {""};
      node.schemas.emplace_back();
      plan->nodes_.push_back(std::move(node));
      continue;
    }
    node.transform = std::get<std::unique_ptr<Transform>>(std::move(built));
    node.outputs = node.transform->outputs();
    node.in_order = node.transform->in_order();
    for (const std::string& metric : node.transform->metric_names()) {
      const auto [other, fresh] = metrics.emplace(metric, name);
      if (fresh) continue;
      errors.push_back({name,
                        {"name", SIZE_MAX, "\"" + metric + "\" is a metric of \"" + other->second + "\" too",
                         "a name of its own for each"}});
      break;
    }
    for (const Port& port : node.inputs)
      node.in_order |= port.node != Port::kSource && plan->nodes_[port.node].in_order;
    for (std::size_t i = 0; i < node.outputs.size(); ++i)
      node.schemas.push_back(node.transform->schema(node.in, i));
    plan->nodes_.push_back(std::move(node));
  }
  if (!errors.empty()) return errors;

  // From the sinks backwards: who wants which fields.
  for (const auto& [name, sink] : sinks) {
    std::vector<Port>& ports = plan->sinks_[name];
    for (const std::string& input : sink.inputs) {
      ports.push_back(plan->resolve(input));
      if (ports.back().node != Port::kSource) add(plan->nodes_[ports.back().node].wanted, sink.wanted);
    }
  }
  for (std::size_t i = plan->nodes_.size(); i-- > 0;) {
    const Node& node = plan->nodes_[i];
    const WantedFields needs = node.transform->needs(node.wanted);
    for (const Port& port : node.inputs) {
      if (port.node != Port::kSource) add(plan->nodes_[port.node].wanted, needs);
    }
  }
  return std::shared_ptr<const TransformPlan>(plan);
}

std::optional<TransformPlan::Port> TransformPlan::find(std::string_view name) const {
  const auto output_of = [&](std::string_view node_name, std::string_view output) -> std::optional<Port> {
    const auto node = std::ranges::find(nodes_, node_name, &Node::name);
    if (node == nodes_.end()) return std::nullopt;
    const auto port = std::ranges::find(node->outputs, output);
    if (port == node->outputs.end()) return std::nullopt;
    return Port{static_cast<std::size_t>(node - nodes_.begin()),
                static_cast<std::size_t>(port - node->outputs.begin()),
                {}};
  };
  if (auto whole = output_of(name, "")) return whole;
  const auto [node, output] = split_output(name);
  return node.empty() ? std::nullopt : output_of(node, output);
}

std::shared_ptr<const TransformPlan> TransformPlan::with_state_of(const TransformPlan& before) const {
  auto plan = std::make_shared<TransformPlan>(*this);
  for (Node& node : plan->nodes_) {
    const auto same = std::ranges::find(before.nodes_, node.name, &Node::name);
    if (same != before.nodes_.end() && same->transform->keeps_state() && same->config == node.config &&
        same->in == node.in)
      node.transform = same->transform;
  }
  return plan;
}

TransformPlan::Port TransformPlan::resolve(const std::string& input) const {
  return find(input).value_or(Port{Port::kSource, 0, input});
}

const std::vector<TransformPlan::Port>& TransformPlan::inputs_of(const std::string& sink) const {
  static const std::vector<Port> kNone;
  const auto found = sinks_.find(sink);
  return found == sinks_.end() ? kNone : found->second;
}

FieldSchema TransformPlan::schema_of(const std::string& sink) const {
  const FieldSchema of_source = source_schema();
  std::vector<const FieldSchema*> schemas;
  for (const Port& port : inputs_of(sink))
    schemas.push_back(port.node == Port::kSource ? &of_source : &nodes_[port.node].schemas[port.output]);
  return schemas.empty() ? of_source : joined(schemas);
}

bool TransformPlan::is_read(const Port& port) const {
  const auto takes = [&](const std::vector<Port>& inputs) {
    return std::ranges::find(inputs, port) != inputs.end();
  };
  return std::ranges::any_of(nodes_, [&](const Node& node) { return takes(node.inputs); }) ||
         std::ranges::any_of(sinks_, [&](const auto& sink) { return takes(sink.second); });
}

bool TransformPlan::reaches(const std::string& source, const Port& port) const {
  if (port.node == Port::kSource) return port.source == source;
  return std::ranges::any_of(nodes_[port.node].inputs,
                             [&](const Port& input) { return reaches(source, input); });
}

bool TransformPlan::reaches(const std::string& source, std::size_t node) const {
  return reaches(source, Port{node, 0, {}});
}

bool TransformPlan::feeds(const std::string& source, const std::string& sink) const {
  return std::ranges::any_of(inputs_of(sink), [&](const Port& port) { return reaches(source, port); });
}

}  // namespace logflume
