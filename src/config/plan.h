// Which way events go by a configuration.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "config/config.h"
#include "transform/plan.h"

namespace logflume {

const SinkConfig& common(const AnySinkConfig& config);

// Errors: what is wrong with transforms. REQUIRES: as TransformPlan::compile().
std::variant<std::shared_ptr<const TransformPlan>, std::vector<PlanError>> plan_transforms(
    const Config& config);

// Events of that source reach that sink, by whatever way. REQUIRES: config.plan.
bool feeds(const Config& config, const std::string& source, const std::string& sink);

}  // namespace logflume
