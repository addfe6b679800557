// Fields that are computed.
#include <algorithm>

#include "transform/condition.h"
#include "transform/json_value.h"
#include "transform/types.h"

namespace logflume {
namespace {

struct Setting {
  std::string field;
  SharedExpression value;
};

class SetStage final : public Stage {
 public:
  SetStage(const std::vector<Setting>& settings, const std::string& host) : settings_(settings) {
    for (const Setting& setting : settings_) readers_.emplace_back(setting.value->fields(), host);
  }

  void run(const Frame& in, std::span<Frame> out, StageReport& report) override {
    Frame& frame = out[0];
    frame.rows = in.rows;
    columns_.begin(in.batch->text(), in.lines->size());
    values_.resize(in.rows.size());
    for (std::size_t i = 0; i < settings_.size(); ++i) {
      const Setting& setting = settings_[i];
      const Expression& expression = *setting.value;
      const FrameField* const same = expression.is_field() ? find_field(in, expression.fields()[0]) : nullptr;
      const FrameField* const before = in.find(setting.field);
      if (same != nullptr) {
        // Its columns as they are; an event that has no such field keeps what it had.
        FrameField field = *same;
        field.object = {};
        field.name = setting.field;
        if (field.under == nullptr) field.under = before;
        frame.put(field);
        continue;
      }
      readers_[i].begin(in, evaluation_);
      expression.values(evaluation_, {in.rows.data(), 0, static_cast<std::uint32_t>(in.rows.size())},
                        values_.data());
      const std::size_t column = columns_.index_of(setting.field);
      FaultCounts faults{};
      for (std::size_t row = 0; row < values_.size(); ++row) add(column, in.rows[row], values_[row], faults);
      report.errors_of(faults);
      if (columns_.at(column).present() > 0)
        frame.put({{}, setting.field, &columns_, &columns_.at(column), before});
    }
    // A message that is the line is one that may be computed anew.
    if (frame.message_is_line && frame.find(kMessageField) != nullptr) {
      const FrameField* const message = frame.find(kMessageField);
      if (message->column->dense(in.lines->size())) frame.message_is_line = false;
    }
  }

  std::size_t memory_bytes() const override {
    std::size_t bytes = columns_.memory_bytes() + values_.capacity() * sizeof(Value);
    for (const FieldReader& reader : readers_) bytes += reader.memory_bytes();
    return bytes;
  }

 private:
  void add(std::size_t column, std::uint32_t row, const Value& value, FaultCounts& faults) {
    Slot slot{};
    const ValueKind kind = kind_of(value.tag);
    if (kind == ValueKind::kMissing) {
      ++faults[static_cast<std::size_t>(value.fault)];
      return;
    }
    if (is_text(kind)) {
      std::string_view text = value.text();
      if (value.is(Value::Tag::kList)) {
        json_.clear();
        append_json(value, json_);
        text = json_;
      }
      TextRef ref;
      if (!columns_.copy(text, ref)) {
        ++faults[static_cast<std::size_t>(ExprFault::kTooLarge)];
        return;
      }
      slot = Slot::of(ref);
    } else {
      slot.integer = value.integer;
    }
    columns_.at(column).add(row, kind, slot);
  }

  const std::vector<Setting>& settings_;
  std::vector<FieldReader> readers_;
  Columns columns_;
  Evaluation evaluation_;
  std::vector<Value> values_;
  std::string json_;
};

class Set final : public Transform {
 public:
  explicit Set(std::vector<Setting> settings) : settings_(std::move(settings)) {}
  WantedFields needs(const WantedFields& wanted) const override {
    WantedFields needs = wanted;
    for (const Setting& setting : settings_) {
      if (wanted.has(setting.field)) add_needs(*setting.value, needs);
    }
    return needs;
  }
  FieldSchema schema(const FieldSchema& in, std::size_t /*output*/) const override {
    FieldSchema out = in;
    for (const Setting& setting : settings_) {
      // Where it cannot be computed, what was there stays.
      const auto before = in.fields.find(setting.field);
      const bool same = !in.open && (before == in.fields.end() || before->second == setting.value->type());
      out.fields[setting.field] = same ? setting.value->type() : ExprType::kDyn;
    }
    return out;
  }
  std::vector<std::string> writes() const override {
    std::vector<std::string> names;
    for (const Setting& setting : settings_) names.push_back(setting.field);
    return names;
  }
  std::unique_ptr<Stage> make_stage(const StageContext& context) const override {
    return std::make_unique<SetStage>(settings_, context.host);
  }

 private:
  const std::vector<Setting> settings_;
};

struct SetConfig : TransformConfig {
  std::map<std::string, std::string> fields;
  bool operator==(const SetConfig&) const = default;
  TransformBuilt build(const FieldSchema& in) const {
    std::vector<Setting> settings;
    for (const auto& [field, text] : fields) {
      auto compiled = compile_value("fields." + field, text, in);
      if (auto* const error = std::get_if<TransformError>(&compiled)) return std::move(*error);
      settings.push_back({field, std::get<SharedExpression>(compiled)});
    }
    return std::make_unique<Set>(std::move(settings));
  }
};

}  // namespace

TransformType set_transform() {
  Describe<SetConfig> set(
      "Fields that are computed. Each expression sees the event as it came in; what cannot be computed is "
      "counted, and "
      "the field stays as it was.");
  set.field("fields", &SetConfig::fields, "Expressions (docs/expressions.md), by field.")
      .required()
      .must(must_not_be_empty, "an expression")
      .example_is("{ms: 'double(request_time) * 1000.0'}");
  return transform_type("set", std::move(set));
}

}  // namespace logflume
