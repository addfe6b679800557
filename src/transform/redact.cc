// What is not to be seen is written over: in fields, and in the line itself.
#include <fmt/format.h>

#include <algorithm>

#include "redact/redactor.h"
#include "transform/field_reader.h"
#include "transform/types.h"

namespace logflume {
namespace {

class RedactStage final : public Stage {
 public:
  RedactStage(const Redactor& redactor, const std::vector<std::string>& fields)
      : redactor_(redactor), fields_(fields) {}

  void run(const Frame& in, std::span<Frame> out, StageReport& report) override {
    Frame& frame = out[0];
    frame.rows = in.rows;
    columns_.begin(in.batch->text(), in.lines->size());
    lines_.begin(in.batch->text(), in.lines->size());
    redact_lines(in, frame);
    for (const FrameField& field : in.fields) {
      if (is_meant(field)) redact_field(in, field, frame);
    }
    for (std::size_t i = 0; i < scratch_.redacted.size(); ++i) {
      if (scratch_.redacted[i] > 0) report.findings.emplace_back(redactor_.names()[i], scratch_.redacted[i]);
    }
    if (scratch_.gave_up > 0) report.error("match_limit", {});
    scratch_.redacted.clear();
    scratch_.gave_up = 0;
  }
  std::size_t memory_bytes() const override { return columns_.memory_bytes() + lines_.memory_bytes(); }

 private:
  bool is_meant(const FrameField& field) const {
    if (fields_.empty()) return true;
    return std::ranges::any_of(fields_, [&](const std::string& name) {
      if (field.object.empty()) return field.name == name;
      return name == field.object || (name.size() == field.object.size() + 1 + field.name.size() &&
                                      name.starts_with(field.object) && name.ends_with(field.name));
    });
  }

  // Whoever writes the line as it was must not write the secret either.
  void redact_lines(const Frame& in, Frame& out) {
    const bool as_read = in.line_column == nullptr && in.batch->event_ends.empty();
    // Most batches hold nothing, and all their lines are looked at at once.
    if (as_read && !redactor_.find_in_lines(in.batch->text(), found_, scratch_)) return;
    Column& column = lines_.at(lines_.index_of(kMessageField));
    std::size_t next = 0;
    for (const std::uint32_t row : in.rows) {
      if (as_read) {
        while (next < found_.size() && found_[next].end <= in.lines->begin_of(row)) ++next;
        if (next == found_.size()) break;
        if (found_[next].begin >= in.lines->end_of(row)) continue;
      }
      TextRef ref;
      text_.clear();
      if (redactor_.redact(in.line(row), text_, scratch_) && lines_.copy(text_, ref)) {
        column.add(row, ValueKind::kString, Slot::of(ref));
      } else if (in.line_column != nullptr && lines_.copy(in.line(row), ref)) {
        column.add(row, ValueKind::kString, Slot::of(ref));
      }
    }
    if (column.present() == 0) return;
    out.line_columns = &lines_;
    out.line_column = &column;
  }

  void redact_field(const Frame& in, const FrameField& field, Frame& out) {
    key_.assign(field.object).append(1, '\0').append(field.name);
    Column* column = nullptr;
    for (const std::uint32_t row : in.rows) {
      const FieldValueRef value = field.find(row);
      TextRef ref;
      text_.clear();
      if (!is_text(value.kind) || !redactor_.redact(value.text(), text_, scratch_)) continue;
      if (!columns_.copy(text_, ref)) continue;
      if (column == nullptr) column = &columns_.at(columns_.index_of(key_));
      // What is written over is no number and no JSON any more.
      column->add(row, ValueKind::kString, Slot::of(ref));
    }
    if (column != nullptr) out.put({field.object, field.name, &columns_, column, &field});
  }

  const Redactor& redactor_;
  const std::vector<std::string>& fields_;
  RedactScratch scratch_;
  std::vector<Finding> found_;
  Columns columns_;
  Columns lines_;
  std::string text_;
  std::string key_;
};

class Redact final : public Transform {
 public:
  Redact(Redactor redactor, std::vector<std::string> fields)
      : redactor_(std::move(redactor)), fields_(std::move(fields)) {}
  WantedFields needs(const WantedFields& wanted) const override { return wanted; }
  FieldSchema schema(const FieldSchema& in, std::size_t /*output*/) const override {
    FieldSchema out = in;
    for (auto& [name, type] : out.fields) {
      if (type != ExprType::kString && type != ExprType::kTimestamp) type = ExprType::kDyn;
    }
    return out;
  }
  std::vector<std::string> writes() const override {
    return fields_.empty() ? std::vector<std::string>{"*"} : fields_;
  }
  std::unique_ptr<Stage> make_stage(const StageContext& /*context*/) const override {
    return std::make_unique<RedactStage>(redactor_, fields_);
  }

 private:
  const Redactor redactor_;
  const std::vector<std::string> fields_;
};

struct RedactConfig : TransformConfig {
  std::vector<std::string> detect;
  std::map<std::string, std::string> patterns;
  std::vector<std::string> fields;
  RedactAction action = RedactAction::kReplace;
  std::string replacement = RedactorConfig{}.replacement;
  std::string key;
  bool operator==(const RedactConfig&) const = default;

  TransformBuilt build(const FieldSchema& /*in*/) const {
    RedactorConfig config;
    for (const std::string& name : detect) {
      const auto detector = parse_detector(name);
      if (!detector)
        return TransformError{"detect", SIZE_MAX, fmt::format("there is no detector \"{}\"", name),
                              "credit_card, email, ipv4, ipv6, token or key"};
      config.detect.push_back(*detector);
    }
    for (const auto& [name, pattern] : patterns) config.patterns.push_back({name, pattern});
    config.action = action;
    config.replacement = replacement;
    config.hash_key = key;
    auto made = Redactor::compile(config);
    if (!made) {
      const char* const about = detect.empty() && patterns.empty() ? "detect"
                                : action == RedactAction::kHash    ? "key"
                                                                   : "patterns";
      return TransformError{about, SIZE_MAX, made.error().message, {}};
    }
    return std::make_unique<Redact>(std::move(*made), fields);
  }
};

}  // namespace

TransformType redact_transform() {
  Describe<RedactConfig> redact(
      "What is not to be seen is written over, in fields and in the line itself (docs/redaction.md). What it "
      "finds is "
      "counted in `logflume_redacted_total` by detector.");
  redact
      .field("detect", &RedactConfig::detect,
             "What to look for: `credit_card`, `email`, `ipv4`, `ipv6`, `token`, `key`.")
      .must(must_not_be_empty, "the name of a detector")
      .absent_is("only `patterns`")
      .example_is("[credit_card, email]");
  redact
      .field(
          "patterns", &RedactConfig::patterns,
          "Regular expressions (PCRE2) to look for, by name; of one with a group named `redact` that group.")
      .must(must_not_be_empty, "a regular expression")
      .example_is("{customer: 'cust-\\d{6}'}");
  redact.choice(
      "action", &RedactConfig::action,
      {{"replace", RedactAction::kReplace}, {"mask", RedactAction::kMask}, {"hash", RedactAction::kHash}},
      "What becomes of it: a text, `*` for its characters, or a keyed hash, by which equal values stay "
      "equal.");
  redact.field("replacement", &RedactConfig::replacement,
               "The text of `replace`; `{name}` is what was found.");
  redact.field("key", &RedactConfig::key, "The key of `hash`, at least 16 bytes.")
      .secret()
      .absent_is("none")
      .example_is("${REDACT_KEY:-0123456789abcdef}");
  redact.field("fields", &RedactConfig::fields, "Where to look beside the line.")
      .must(must_not_be_empty, "the name of a field")
      .absent_is("all fields that are texts")
      .example_is("[user, request]");
  return transform_type("redact", std::move(redact));
}

}  // namespace logflume
