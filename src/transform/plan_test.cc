#include "transform/plan.h"

#include "transform/transform_test_fixture.h"

namespace logflume {
namespace {

std::shared_ptr<const TransformPlan> compiled(const TransformPlan::Transforms& transforms) {
  auto plan = TransformPlan::compile(transforms, {{"out", {{"app"}, {}}}});
  return std::get<std::shared_ptr<const TransformPlan>>(std::move(plan));
}

const Transform* find(const TransformPlan& plan, const std::string& name) {
  return std::ranges::find(plan.nodes(), name, &TransformPlan::Node::name)->transform.get();
}

AnyTransformConfig throttle(const std::string& input, std::uint64_t events) {
  return test_transform("throttle", input, {{"events", events}});
}

TEST(TransformPlanTest, StateOutlastsAChangeOfSomethingElse) {
  const AnyTransformConfig json = test_transform("parse_json", "app");
  const AnyTransformConfig filter = test_transform("filter", "app", {{"condition", std::string("true")}});
  const auto before = compiled({{"f", filter},
                                {"same", throttle("app", 1)},
                                {"other", throttle("app", 2)},
                                {"p", json},
                                {"behind", throttle("p", 1)},
                                {"renamed", throttle("app", 1)}});
  const AnyTransformConfig csv =
      test_transform("parse_csv", "app", {{"columns", std::vector<std::string>{"a"}}});
  const auto next = compiled({{"f", filter},
                              {"same", throttle("app", 1)},
                              {"other", throttle("app", 3)},
                              {"p", csv},
                              {"behind", throttle("p", 1)},
                              {"name", throttle("app", 1)}});
  const auto after = next->with_state_of(*before);
  EXPECT_EQ(find(*after, "same"), find(*before, "same"));
  EXPECT_EQ(find(*after, "other"), find(*next, "other")) << "another configuration";
  EXPECT_EQ(find(*after, "behind"), find(*next, "behind")) << "other fields come to it";
  EXPECT_EQ(find(*after, "name"), find(*next, "name"));
  EXPECT_EQ(find(*after, "f"), find(*next, "f")) << "it has no state";
}

TEST(TransformPlanTest, NoTwoMetricsHaveTheSameName) {
  const auto metric = [](const std::string& name, const std::string& kind) {
    return test_transform("log_to_metric", "app",
                          {{"name", name}, {"kind", kind}, {"value", std::string("1")}});
  };
  const auto said = [](const TransformPlan::Transforms& transforms) {
    auto plan = TransformPlan::compile(transforms, {});
    const auto* const errors = std::get_if<std::vector<PlanError>>(&plan);
    return errors == nullptr ? std::string() : errors->at(0).transform + ": " + errors->at(0).error.message;
  };
  EXPECT_EQ(said({{"a", metric("x", "counter")}, {"b", metric("y", "gauge")}}), "");
  EXPECT_EQ(said({{"a", metric("x", "counter")}, {"b", metric("x", "counter")}}),
            "b: \"x\" is a metric of \"a\" too");
  EXPECT_EQ(said({{"a", metric("x_sum", "counter")}, {"b", metric("x", "histogram")}}),
            "b: \"x_sum\" is a metric of \"a\" too");
}

}  // namespace
}  // namespace logflume
