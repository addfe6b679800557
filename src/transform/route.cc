// Events by conditions to outputs of their own.
#include <fmt/format.h>

#include <algorithm>

#include "transform/condition.h"
#include "transform/types.h"

namespace logflume {
namespace {

constexpr const char* kUnmatched = "_unmatched";

struct Way {
  std::string output;
  SharedExpression condition;
};

class RouteStage final : public Stage {
 public:
  RouteStage(const std::vector<Way>& ways, const std::string& host) {
    for (const Way& way : ways) conditions_.push_back(std::make_unique<Condition>(way.condition, host));
  }
  void run(const Frame& in, std::span<Frame> out, StageReport& report) override {
    matched_.assign(in.lines->size(), false);
    for (std::size_t i = 0; i < conditions_.size(); ++i) {
      conditions_[i]->select(in, out[i].rows, report);
      for (const std::uint32_t row : out[i].rows) matched_[row] = true;
    }
    for (const std::uint32_t row : in.rows) {
      if (!matched_[row]) out.back().rows.push_back(row);
    }
  }
  std::size_t memory_bytes() const override {
    std::size_t bytes = matched_.capacity() / 8;
    for (const auto& condition : conditions_) bytes += condition->memory_bytes();
    return bytes;
  }

 private:
  std::vector<std::unique_ptr<Condition>> conditions_;
  std::vector<bool> matched_;  // by row
};

class Route final : public Transform {
 public:
  explicit Route(std::vector<Way> ways) : ways_(std::move(ways)) {}
  std::vector<std::string> outputs() const override {
    std::vector<std::string> names;
    for (const Way& way : ways_) names.push_back(way.output);
    names.emplace_back(kUnmatched);
    return names;
  }
  WantedFields needs(const WantedFields& wanted) const override {
    WantedFields needs = wanted;
    for (const Way& way : ways_) add_needs(*way.condition, needs);
    return needs;
  }
  std::unique_ptr<Stage> make_stage(const StageContext& context) const override {
    return std::make_unique<RouteStage>(ways_, context.host);
  }

 private:
  const std::vector<Way> ways_;
};

struct RouteConfig : TransformConfig {
  std::map<std::string, std::string> routes;
  bool operator==(const RouteConfig&) const = default;
  TransformBuilt build(const FieldSchema& in) const {
    std::vector<Way> ways;
    for (const auto& [output, text] : routes) {
      const std::string key = "routes." + output;
      if (output == kUnmatched || output.empty() || output.find('.') != std::string::npos)
        return TransformError{key, SIZE_MAX, fmt::format("\"{}\" cannot be the name of a route", output),
                              "a name without dots, other than _unmatched"};
      auto compiled = compile_condition(key, text, in);
      if (auto* const error = std::get_if<TransformError>(&compiled)) return std::move(*error);
      ways.push_back({output, std::get<SharedExpression>(compiled)});
    }
    return std::make_unique<Route>(std::move(ways));
  }
};

}  // namespace

TransformType route_transform() {
  Describe<RouteConfig> route(
      "Events by conditions to outputs of their own: `NAME.ROUTE`, and `NAME._unmatched` for those that meet "
      "none. An "
      "event that meets several goes to each.");
  route.field("routes", &RouteConfig::routes, "Conditions (docs/expressions.md), by the name of the output.")
      .required()
      .must(must_not_be_empty, "an expression")
      .example_is("{err: 'level == \"ERROR\"'}");
  return transform_type("route", std::move(route));
}

}  // namespace logflume
