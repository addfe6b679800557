// Events that meet a condition pass.
#include "transform/condition.h"
#include "transform/types.h"

namespace logflume {
namespace {

class FilterStage final : public Stage {
 public:
  FilterStage(SharedExpression expression, const std::string& host)
      : condition_(std::move(expression), host) {}
  void run(const Frame& in, std::span<Frame> out, StageReport& report) override {
    condition_.select(in, out[0].rows, report);
    report.discarded = in.rows.size() - out[0].rows.size();
  }
  std::size_t memory_bytes() const override { return condition_.memory_bytes(); }

 private:
  Condition condition_;
};

class Filter final : public Transform {
 public:
  explicit Filter(SharedExpression expression) : expression_(std::move(expression)) {}
  WantedFields needs(const WantedFields& wanted) const override {
    WantedFields needs = wanted;
    add_needs(*expression_, needs);
    return needs;
  }
  std::unique_ptr<Stage> make_stage(const StageContext& context) const override {
    return std::make_unique<FilterStage>(expression_, context.host);
  }

 private:
  const SharedExpression expression_;
};

struct FilterConfig : TransformConfig {
  std::string condition;
  bool operator==(const FilterConfig&) const = default;
  TransformBuilt build(const FieldSchema& in) const {
    auto compiled = compile_condition("condition", condition, in);
    if (auto* const error = std::get_if<TransformError>(&compiled)) return std::move(*error);
    return std::make_unique<Filter>(std::get<SharedExpression>(compiled));
  }
};

}  // namespace

TransformType filter_transform() {
  Describe<FilterConfig> filter("Events that meet a condition pass; the others are discarded and counted.");
  filter.field("condition", &FilterConfig::condition, "An expression (docs/expressions.md).")
      .required()
      .must(must_not_be_empty, "an expression")
      .example_is("'level == \"ERROR\" && status >= 500'");
  return transform_type("filter", std::move(filter));
}

}  // namespace logflume
