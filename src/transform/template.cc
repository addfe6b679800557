// Texts with fields in them.
#include <cstring>

#include "transform/condition.h"
#include "transform/types.h"
#include "transform/value_reader.h"

namespace logflume {
namespace {

// What a batch's texts may take together: a short template can name a long field many times.
constexpr std::size_t kBytesMax = Arena::kBytesMax;

struct Template {
  std::string field;
  // A text, and the value behind it; null behind the last text.
  struct Part {
    std::string text;
    SharedExpression value;
  };
  std::vector<Part> parts;
};

class TemplateStage final : public Stage {
 public:
  TemplateStage(const std::vector<Template>& templates, const StageContext& context) {
    for (const Template& one : templates) {
      if (!context.wanted.has(one.field)) continue;
      templates_.push_back({&one, {}});
      for (const Template::Part& part : one.parts) {
        if (part.value)
          templates_.back().values.push_back(std::make_unique<ValueReader>(part.value, context.host));
      }
    }
  }

  void run(const Frame& in, std::span<Frame> out, StageReport& report) override {
    Frame& frame = out[0];
    frame.rows = in.rows;
    columns_.begin(in.batch->text(), in.lines->size());
    bytes_ = 0;
    for (Wanted& wanted : templates_) {
      Column& column = columns_.at(columns_.index_of(wanted.made_of->field));
      FaultCounts faults{};
      for (const auto& value : wanted.values) value->begin(in);
      for (std::size_t i = 0; i < in.rows.size(); ++i) {
        TextRef ref;
        if (render(wanted, i, ref, faults)) {
          column.add(in.rows[i], ValueKind::kString, Slot::of(ref));
        } else {
          ++faults[static_cast<std::size_t>(ExprFault::kTooLarge)];
        }
      }
      report.errors_of(faults);
      if (column.present() > 0) frame.put({{}, column.name(), &columns_, &column, in.find(column.name())});
      if (column.name() == kMessageField && column.dense(in.lines->size())) frame.message_is_line = false;
    }
  }

  std::size_t memory_bytes() const override {
    std::size_t bytes = columns_.memory_bytes();
    for (const Wanted& wanted : templates_) {
      for (const auto& value : wanted.values) bytes += value->memory_bytes();
    }
    return bytes;
  }

 private:
  struct Wanted {
    const Template* made_of;
    std::vector<std::unique_ptr<ValueReader>> values;  // of its parts, in their order
  };

  bool render(Wanted& wanted, std::size_t index, TextRef& ref, FaultCounts& faults) {
    pieces_.clear();
    std::size_t bytes = 0;
    const auto add = [&](std::string_view piece) {
      bytes += piece.size();
      pieces_.push_back(piece);
    };
    auto next = wanted.values.begin();
    for (const Template::Part& part : wanted.made_of->parts) {
      add(part.text);
      if (!part.value) continue;
      ValueReader& value = **next++;
      std::string_view text;
      if (!value.text(index, text) && value[index].is_fault())
        ++faults[static_cast<std::size_t>(value[index].fault)];
      add(text);
    }
    if (bytes_ + bytes > kBytesMax) return false;
    char* at = columns_.begin_text(bytes);
    if (at == nullptr) return false;
    for (const std::string_view piece : pieces_) {
      if (!piece.empty()) std::memcpy(at, piece.data(), piece.size());
      at += piece.size();
    }
    bytes_ += bytes;
    ref = columns_.finish_text(bytes);
    return true;
  }

  std::vector<Wanted> templates_;
  std::vector<std::string_view> pieces_;
  std::size_t bytes_ = 0;  // of the batch's texts so far
  Columns columns_;
};

class TemplateTransform final : public Transform {
 public:
  explicit TemplateTransform(std::vector<Template> templates) : templates_(std::move(templates)) {}
  WantedFields needs(const WantedFields& wanted) const override {
    WantedFields needs = wanted;
    for (const Template& one : templates_) {
      if (!wanted.has(one.field)) continue;
      for (const Template::Part& part : one.parts) {
        if (part.value) add_needs(*part.value, needs);
      }
    }
    return needs;
  }
  FieldSchema schema(const FieldSchema& in, std::size_t /*output*/) const override {
    FieldSchema out = in;
    for (const Template& one : templates_) out.fields[one.field] = ExprType::kString;
    return out;
  }
  std::vector<std::string> writes() const override {
    std::vector<std::string> names;
    for (const Template& one : templates_) names.push_back(one.field);
    return names;
  }
  std::unique_ptr<Stage> make_stage(const StageContext& context) const override {
    return std::make_unique<TemplateStage>(templates_, context);
  }

 private:
  const std::vector<Template> templates_;
};

std::variant<Template, TransformError> parse_template(const std::string& field, const std::string& text,
                                                      const FieldSchema& in) {
  Template made;
  made.field = field;
  const std::string key = "fields." + field;
  std::size_t from = 0;
  for (;;) {
    const std::size_t open = text.find("{{", from);
    made.parts.push_back({text.substr(from, open - from), nullptr});
    if (open == std::string::npos) return made;
    const std::size_t close = text.find("}}", open + 2);
    if (close == std::string::npos)
      return TransformError{key, open, "\"{{\" without \"}}\"", "as in \"{{ level }}: {{ path }}\""};
    auto compiled = compile_value(key, text.substr(open + 2, close - open - 2), in);
    if (auto* const error = std::get_if<TransformError>(&compiled)) {
      if (error->at != SIZE_MAX) error->at += open + 2;
      return std::move(*error);
    }
    made.parts.back().value = std::get<SharedExpression>(compiled);
    from = close + 2;
  }
}

struct TemplateConfig : TransformConfig {
  std::map<std::string, std::string> fields;
  bool operator==(const TemplateConfig&) const = default;
  TransformBuilt build(const FieldSchema& in) const {
    std::vector<Template> templates;
    for (const auto& [field, text] : fields) {
      auto parsed = parse_template(field, text, in);
      if (auto* const error = std::get_if<TransformError>(&parsed)) return std::move(*error);
      templates.push_back(std::move(std::get<Template>(parsed)));
    }
    return std::make_unique<TemplateTransform>(std::move(templates));
  }
};

}  // namespace

TransformType template_transform() {
  Describe<TemplateConfig> templates(
      "Fields that are texts with other fields in them. Each template sees the event as it came in; what it "
      "names and the event does not have is empty, and counted.");
  templates
      .field("fields", &TemplateConfig::fields,
             "Templates by field: texts in which `{{ EXPRESSION }}` (docs/expressions.md), such as the name "
             "of a field, stands for its value.")
      .required()
      .example_is("{summary: \"{{ method }} {{ path }}: {{ status }}\"}");
  return transform_type("template", std::move(templates));
}

}  // namespace logflume
