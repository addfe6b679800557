// Lines that belong together become one event.
#include <fmt/format.h>

#include <optional>
#include <utility>

#include "multiline/event_rules.h"
#include "multiline/multiline_description.h"
#include "transform/condition.h"
#include "transform/field_reader.h"
#include "transform/open_event.h"
#include "transform/types.h"

namespace logflume {
namespace {

struct JoiningConfig : TransformConfig, MultilineConfig {
  std::string field{kMessageField};
  JoiningConfig() { max_bytes = std::uint64_t{1024} * 1024; }
  bool operator==(const JoiningConfig&) const = default;
  TransformBuilt build(const FieldSchema& in) const;
};

class MultilineStage final : public Stage {
 public:
  MultilineStage(std::string field, EventRules rules, const StageContext& context)
      : field_(std::move(field)), rules_(std::move(rules)), name_(context.name), metrics_(context.metrics) {}

  void run(const Frame& in, std::span<Frame> out, StageReport& report) override {
    in_ = &in;
    out_ = out.data();
    report_ = &report;
    lines_.begin(in.batch->text(), in.lines->size());
    texts_.begin(in.batch->text(), in.lines->size());
    line_column_ = &lines_.at(lines_.index_of("line"));
    text_column_ = &texts_.at(texts_.index_of(field_));
    const bool of_line = field_ == kMessageField && in.message_is_line && in.find(kMessageField) == nullptr;
    judged_ = of_line ? nullptr : find_field(in, field_);

    open_ = joint_.open ? joint_.open->rules : EventRules::Open();
    open_bytes_ = joint_.open ? joint_.open->judged_bytes : 0;
    std::size_t first = 0;  // of the rows of the event that is open
    for (std::size_t i = 0; i < in.rows.size(); ++i) {
      const auto text = of_line ? std::optional(in.line(in.rows[i])) : judged_text(in.rows[i]);
      if (!text) {  // it is an event by itself
        end_event(first, i);
        add_event(i, i + 1);
        first = i + 1;
        continue;
      }
      const EventRules::Verdict verdict = rules_.judge(open_, *text, open_bytes_);
      if (verdict.over_before) {
        if (verdict.cut != EventRules::Cut::kNone && !in.again) count_cut(verdict.cut);
        const EventRules::Open begun = open_;
        end_event(first, i);
        open_ = begun;
        first = i;
      }
      open_bytes_ += text->size() + 1;
      if (verdict.over_behind) {
        end_event(first, i + 1);
        first = i + 1;
      }
    }
    keep(first);
    if (const auto gave_up = rules_.take_gave_up()) report.errors.emplace_back("match_limit", gave_up->lines);
    show();
  }

  Joint* joint() override { return &joint_; }
  std::size_t memory_bytes() const override { return lines_.memory_bytes() + texts_.memory_bytes(); }

 private:
  void count_cut(EventRules::Cut cut) {
    metrics_
        .counter(
            "logflume_cut_events_total",
            "Multi-line events that a limit has ended: what followed is the next event.",
            {{"component", name_}, {"reason", cut == EventRules::Cut::kMaxLines ? "max_lines" : "max_bytes"}})
        .add();
  }

  std::optional<std::string_view> judged_text(std::uint32_t row) const {
    if (judged_ == nullptr) return std::nullopt;
    const FieldValueRef value = judged_->find(row);
    return is_text(value.kind) ? std::optional(value.text()) : std::nullopt;
  }

  // What is open has these rows, as its last ones, and is over.
  void end_event(std::size_t first, std::size_t last) {
    if (joint_.open) {
      for (std::size_t i = first; i < last; ++i) append(*joint_.open, in_->rows[i]);
      report_->discarded += last - first;
      joint_.closed = std::move(joint_.open);
    } else if (first < last) {
      add_event(first, last);
    }
    open_ = {};
    open_bytes_ = 0;
  }

  // The rows from `first` on go on in the next batch.
  void keep(std::size_t first) {
    if (first == in_->rows.size() && !joint_.open) return;
    if (!joint_.open) {
      joint_.open = std::make_unique<OpenEvent>();
      joint_.open->begin(*in_, in_->rows[first], judged_);
    }
    for (std::size_t i = first; i < in_->rows.size(); ++i) append(*joint_.open, in_->rows[i]);
    report_->discarded += in_->rows.size() - first;
    joint_.open->rules = open_;
    joint_.open->judged_bytes = open_bytes_;
  }

  void append(OpenEvent& event, std::uint32_t row) {
    if (event.in_file.end > event.in_file.begin) event.line += '\n';
    event.line += in_->line(row);
    if (const auto text = judged_text(row)) {
      if (event.in_file.end > event.in_file.begin) event.text += '\n';
      event.text += *text;
    }
    event.reach(*in_, row);
  }

  // An event of rows of this batch only: it stands where the first one does.
  void add_event(std::size_t first, std::size_t last) {
    const std::uint32_t row = in_->rows[first];
    out_->rows.push_back(row);
    if (last - first == 1) {
      if (in_->has_own_line(row)) put(lines_, *line_column_, row, in_->line(row));
      return;
    }
    report_->discarded += last - first - 1;
    if (in_->line_column == nullptr && !in_->batch->strip_cr &&
        in_->rows[last - 1] - row == last - 1 - first) {
      const std::string_view first_line = in_->line(row);
      const std::string_view last_line = in_->line(in_->rows[last - 1]);
      const auto bytes = static_cast<std::size_t>(last_line.data() + last_line.size() - first_line.data());
      line_column_->add(row, ValueKind::kString, Slot::of(lines_.ref({first_line.data(), bytes})));
    } else {
      put(lines_, *line_column_, row, joined(first, last, [&](auto of) { return in_->line(of); }));
    }
    if (judged_ != nullptr)
      put(texts_, *text_column_, row, joined(first, last, [&](auto of) { return *judged_text(of); }));
  }

  template <typename TextOf>
  std::string_view joined(std::size_t first, std::size_t last, const TextOf& text_of) {
    joined_.assign(text_of(in_->rows[first]));
    for (std::size_t i = first + 1; i < last; ++i) joined_.append(1, '\n').append(text_of(in_->rows[i]));
    return joined_;
  }

  static void put(Columns& columns, Column& column, std::uint32_t row, std::string_view text) {
    TextRef ref;
    if (columns.copy(text, ref)) column.add(row, ValueKind::kString, Slot::of(ref));
  }

  void show() {
    if (line_column_->present() > 0) {
      out_->line_columns = &lines_;
      out_->line_column = line_column_;
    }
    if (text_column_->present() > 0)
      out_->put({judged_->object, judged_->name, &texts_, text_column_, judged_});
  }

  const std::string field_;
  EventRules rules_;
  const std::string name_;
  MetricRegistry& metrics_;
  Joint joint_;
  Columns lines_;
  Columns texts_;
  std::string joined_;
  // While run() runs.
  const Frame* in_ = nullptr;
  Frame* out_ = nullptr;
  StageReport* report_ = nullptr;
  const FrameField* judged_ = nullptr;  // null: the lines are
  Column* line_column_ = nullptr;
  Column* text_column_ = nullptr;
  EventRules::Open open_;
  std::uint64_t open_bytes_ = 0;
};

class Multiline final : public Transform {
 public:
  explicit Multiline(JoiningConfig config) : config_(std::move(config)) {}
  WantedFields needs(const WantedFields& wanted) const override {
    WantedFields needs = wanted;
    needs.names.insert(config_.field);
    return needs;
  }
  std::vector<std::string> writes() const override { return {config_.field}; }
  bool in_order() const override { return true; }
  bool keeps_state() const override { return true; }
  std::optional<Duration> joins_for() const override { return config_.timeout; }
  std::unique_ptr<Stage> make_stage(const StageContext& context) const override {
    // It was compiled before.
    return std::make_unique<MultilineStage>(config_.field, *EventRules::compile(config_), context);
  }

 private:
  const JoiningConfig config_;
};

TransformBuilt JoiningConfig::build(const FieldSchema& in) const {
  if (!enabled())
    return TransformError{"inputs", SIZE_MAX, "it needs a pattern or a preset",
                          "start_pattern, continue_pattern, end_pattern or preset"};
  if (preset != MultilinePreset::kNone && has_pattern())
    return TransformError{"preset", SIZE_MAX, "patterns and preset exclude each other", "one of them"};
  if (auto compiled = EventRules::compile(*this); !compiled)
    return TransformError{"start_pattern", SIZE_MAX, compiled.error().message, {}};
  auto field_is_known = compile_field("field", field, in);
  if (auto* const error = std::get_if<TransformError>(&field_is_known)) return std::move(*error);
  return std::make_unique<Multiline>(*this);
}

}  // namespace

TransformType multiline_transform() {
  Describe<JoiningConfig> joining(
      "Joins lines that belong together to one event, as those of a stack trace, behind other transforms: "
      "those of one container, or without what a filter has taken out. Where the lines of a file are all "
      "that it is about, `multiline` of the file source does the same with less work, and leaves what comes "
      "behind it to all cores. An event has the fields of its first line. What may go on is not acknowledged "
      "before it is over: after `kill -9` its lines are read again from its beginning. A line that is in "
      "another event counts as discarded.");
  joining
      .field("field", &JoiningConfig::field, "The field whose text is joined and by which lines are judged.")
      .must(must_not_be_empty, "the name of a field");
  describe_multiline(joining, "1MiB");
  return transform_type("multiline", std::move(joining));
}

}  // namespace logflume
