// One of many events passes.
#include <xxhash.h>

#include <array>
#include <optional>

#include "transform/condition.h"
#include "transform/types.h"
#include "transform/value_reader.h"

namespace logflume {
namespace {

struct Sampling {
  std::uint64_t rate = 1;
  SharedExpression key;          // null: each event by itself
  SharedExpression always_keep;  // null: none
  std::string rate_field;        // empty: none
};

// Where an event stands says whether it passes, so that whoever reads it again gets the same. Of two samples,
// one behind the other, each has its own seed.
bool is_chosen(const Frame& frame, std::uint32_t row, std::uint64_t seed, std::uint64_t rate) {
  const Batch& batch = *frame.batch;
  const std::array<std::uint64_t, 2> place{batch.origin->file_id,
                                           batch.text_begin + frame.lines->begin_of(row)};
  return XXH3_64bits_withSeed(place.data(), sizeof place, seed) % rate == 0;
}

class SampleStage final : public Stage {
 public:
  SampleStage(const Sampling& sampling, const StageContext& context)
      : sampling_(sampling), seed_(XXH3_64bits(context.name.data(), context.name.size())) {
    if (sampling_.key) key_.emplace(sampling_.key, context.host);
    if (sampling_.always_keep) always_keep_.emplace(sampling_.always_keep, context.host);
  }

  void run(const Frame& in, std::span<Frame> out, StageReport& report) override {
    Frame& frame = out[0];
    columns_.begin(in.batch->text(), in.lines->size());
    if (key_) key_->begin(in);
    kept_.clear();
    if (always_keep_) always_keep_->select(in, kept_, report);
    Column* const rates =
        sampling_.rate_field.empty() ? nullptr : &columns_.at(columns_.index_of(sampling_.rate_field));
    std::size_t next_kept = 0;
    for (std::size_t i = 0; i < in.rows.size(); ++i) {
      const std::uint32_t row = in.rows[i];
      const bool always = next_kept < kept_.size() && kept_[next_kept] == row;
      if (always) ++next_kept;
      if (!always && !passes(in, i)) continue;
      frame.rows.push_back(row);
      const std::uint64_t rate = always ? 1 : sampling_.rate;
      if (rates != nullptr) rates->add(row, ValueKind::kInt, Slot::of(static_cast<std::int64_t>(rate)));
    }
    report.discarded = in.rows.size() - frame.rows.size();
    if (rates != nullptr && rates->present() > 0)
      frame.put({{}, rates->name(), &columns_, rates, in.find(rates->name())});
  }

  std::size_t memory_bytes() const override {
    return columns_.memory_bytes() + kept_.capacity() * sizeof(std::uint32_t) +
           (key_ ? key_->memory_bytes() : 0) + (always_keep_ ? always_keep_->memory_bytes() : 0);
  }

 private:
  bool passes(const Frame& in, std::size_t index) {
    std::string_view key;
    if (!key_ || !key_->text(index, key)) return is_chosen(in, in.rows[index], seed_, sampling_.rate);
    // Without a seed: the same keys everywhere.
    return XXH3_64bits(key.data(), key.size()) % sampling_.rate == 0;
  }

  const Sampling& sampling_;
  const std::uint64_t seed_;
  std::optional<ValueReader> key_;
  std::optional<Condition> always_keep_;
  std::vector<std::uint32_t> kept_;  // whatever the rate
  Columns columns_;
};

class Sample final : public Transform {
 public:
  explicit Sample(Sampling sampling) : sampling_(std::move(sampling)) {}
  WantedFields needs(const WantedFields& wanted) const override {
    WantedFields needs = wanted;
    if (sampling_.key) add_needs(*sampling_.key, needs);
    if (sampling_.always_keep) add_needs(*sampling_.always_keep, needs);
    return needs;
  }
  FieldSchema schema(const FieldSchema& in, std::size_t /*output*/) const override {
    FieldSchema out = in;
    if (!sampling_.rate_field.empty()) out.fields[sampling_.rate_field] = ExprType::kInt;
    return out;
  }
  std::vector<std::string> writes() const override {
    if (sampling_.rate_field.empty()) return {};
    return {sampling_.rate_field};
  }
  std::unique_ptr<Stage> make_stage(const StageContext& context) const override {
    return std::make_unique<SampleStage>(sampling_, context);
  }

 private:
  const Sampling sampling_;
};

struct SampleConfig : TransformConfig {
  std::uint64_t rate = 0;
  std::string key;
  std::string always_keep;
  std::string rate_field;
  bool operator==(const SampleConfig&) const = default;
  TransformBuilt build(const FieldSchema& in) const {
    Sampling sampling;
    sampling.rate = rate;
    sampling.rate_field = rate_field;
    if (auto error = compile_optional("key", key, in, compile_value, sampling.key)) return std::move(*error);
    if (auto error =
            compile_optional("always_keep", always_keep, in, compile_condition, sampling.always_keep))
      return std::move(*error);
    return std::make_unique<Sample>(std::move(sampling));
  }
};

}  // namespace

TransformType sample_transform() {
  Describe<SampleConfig> sample(
      "One of so many events passes, by where it stands in its file or by a key: no state is kept, so each "
      "sink gets the same events, also when it reads them again. The others are discarded.");
  sample.field("rate", &SampleConfig::rate, "One of so many.").required().at_least(1).example_is("10");
  sample
      .field("key", &SampleConfig::key,
             "An expression (docs/expressions.md): all events of one value pass or none does, on every "
             "machine. An event that has none goes by its place.")
      .absent_is("by place")
      .example_is("trace_id");
  sample
      .field("always_keep", &SampleConfig::always_keep,
             "A condition (docs/expressions.md): events that meet it pass.")
      .absent_is("none")
      .example_is("'level == \"ERROR\"'");
  sample
      .field("rate_field", &SampleConfig::rate_field,
             "A field that says how many events each one stands for: `rate`, or 1 where it was kept anyway.")
      .absent_is("none")
      .example_is("sample_rate");
  return transform_type("sample", std::move(sample));
}

}  // namespace logflume
