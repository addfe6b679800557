// Which way events go by a configuration.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "config/config.h"
#include "sink/template.h"
#include "transform/plan.h"

namespace logflume {

const SinkConfig& common(const AnySinkConfig& config);

// A template of a sink that has fields of events in it.
struct SinkTemplate {
  std::string key;  // of the configuration
  Template parsed;
};
std::vector<SinkTemplate> event_templates(const AnySinkConfig& config);

// A field of a template that no event of the sink can have.
struct UnknownField {
  std::string sink;
  std::string key;
  std::string message;
};
// REQUIRES: config.plan.
std::vector<UnknownField> unknown_fields(const Config& config);

// Errors: what is wrong with transforms. REQUIRES: as TransformPlan::compile().
std::variant<std::shared_ptr<const TransformPlan>, std::vector<PlanError>> plan_transforms(
    const Config& config);

// Events of that source reach that sink, by whatever way. REQUIRES: config.plan.
bool feeds(const Config& config, const std::string& source, const std::string& sink);

}  // namespace logflume
