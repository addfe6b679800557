#include "transform/parse_stage.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/civil_time.h"
#include "event/slab.h"
#include "transform/field_reader.h"

namespace logflume {
namespace {

constexpr std::string_view kTimestamp = "timestamp";
constexpr const char* kNoField = "no_such_field";
constexpr const char* kNoText = "not_a_text";

class ParseStage final : public Stage {
 public:
  ParseStage(const ParseConfig& config, std::unique_ptr<Parser> parser, std::optional<TimeFormat> time)
      : config_(config), parser_(std::move(parser)), time_(std::move(time)) {}

  void run(const Frame& in, std::span<Frame> out, StageReport& report) override {
    Frame& parsed = out[0];
    Frame* const failed = out.size() > 1 ? &out[1] : nullptr;
    const std::size_t rows = in.lines->size();
    kept_.begin(in.batch->text(), rows);
    times_.begin(in.batch->text(), rows);
    texts_.clear();
    const bool of_line =
        config_.field == kMessageField && in.message_is_line && in.find(kMessageField) == nullptr;
    const FrameField* const source = of_line ? nullptr : find_field(in, config_.field);
    // Parsers want texts that lie in what their columns have as the events' text, and stay there.
    const bool of_other_line = of_line && in.line_column != nullptr;
    if (of_line && !of_other_line) {
      fields_.begin(in.batch->text(), rows);
    } else {
      gather_texts(in, [&](std::uint32_t row) -> std::optional<std::string_view> {
        if (of_other_line) return in.line(row);
        if (source == nullptr) return std::nullopt;
        const FieldValueRef value = source->find(row);
        return is_text(value.kind) ? std::optional(value.text()) : std::nullopt;
      });
      fields_.begin(std::string_view(gathered_).substr(0, gathered_.size() - Slab::kPadBytes), rows);
    }
    parser_->begin(fields_, in.batch->wall_ns);
    const std::size_t time_column = time_ ? fields_.index_of(config_.timestamp_field) : std::size_t{0};

    // The field that was parsed goes with success; who is not accepted keeps it.
    const bool keeps = config_.keep_original;
    Column& original = kept_.at(kept_.index_of(config_.field));
    std::size_t next_text = 0;
    for (const std::uint32_t row : in.rows) {
      std::string_view text = of_other_line ? fields_.text(texts_[next_text++]) : (*in.lines)[row];
      const char* refused = nullptr;
      FieldValueRef value;
      if (!of_line) {
        value = source == nullptr ? FieldValueRef{} : source->find(row);
        if (value.kind == ValueKind::kMissing) {
          refused = kNoField;
        } else if (!is_text(value.kind)) {
          refused = kNoText;
        } else {
          text = fields_.text(texts_[next_text++]);
        }
      }
      found_.clear();
      const ParseFault fault = refused == nullptr ? parser_->parse(text, found_) : ParseFault::kNone;
      if (refused == nullptr && fault == ParseFault::kNone) {
        found_.commit(fields_, row);
        if (time_) add_time(row, time_column, in, report);
        if (keeps) keep(original, in, of_line, value, row);
        parsed.rows.push_back(row);
        continue;
      }
      report.error(refused != nullptr ? refused : to_text(fault), in.line(row));
      if (config_.on_error == OnError::kDrop) {
        ++report.discarded;
      } else if (config_.on_error == OnError::kRoute) {
        failed->rows.push_back(row);
      } else {
        if (of_line || value.kind != ValueKind::kMissing) keep(original, in, of_line, value, row);
        parsed.rows.push_back(row);
      }
    }
    if (failed != nullptr && config_.on_error != OnError::kRoute) failed->rows.clear();
    show(in, of_line, parsed);
  }

  std::size_t memory_bytes() const override {
    return fields_.memory_bytes() + kept_.memory_bytes() + times_.memory_bytes() + gathered_.capacity() +
           texts_.capacity() * sizeof(TextRef);
  }

 private:
  // To gathered_, and their places in it to texts_.
  template <typename TextOf>
  void gather_texts(const Frame& in, const TextOf& text_of) {
    gathered_.clear();
    for (const std::uint32_t row : in.rows) {
      const std::optional<std::string_view> text = text_of(row);
      if (!text) continue;
      const bool fits = gathered_.size() + text->size() <= TextRef::kOffsetMax;
      texts_.push_back({static_cast<std::uint32_t>(gathered_.size()),
                        fits ? static_cast<std::uint32_t>(text->size()) : 0});
      if (fits) gathered_ += *text;
    }
    gathered_.append(Slab::kPadBytes, ' ');
  }

  void keep(Column& original, const Frame& in, bool of_line, const FieldValueRef& value, std::uint32_t row) {
    if (of_line) {
      TextRef ref;
      if (in.line_column == nullptr) {
        ref = kept_.ref((*in.lines)[row]);
      } else if (!kept_.copy(in.line(row), ref)) {
        return;
      }
      original.add(row, ValueKind::kString, Slot::of(ref));
      return;
    }
    Slot slot = value.slot;
    if (is_text(value.kind)) {
      TextRef ref;
      if (!kept_.copy(value.text(), ref)) return;
      slot = Slot::of(ref);
    }
    original.add(row, value.kind, slot);
  }

  // Of the row that was committed last.
  void add_time(std::uint32_t row, std::size_t column, const Frame& in, StageReport& report) {
    const Column& from = fields_.at(column);
    const std::size_t at = from.find(row);
    if (at == Column::kNone) return;
    const ValueKind kind = from.kind_at(at);
    const Slot slot = from.slot_at(at);
    Column& to = times_.at(times_.index_of(kTimestamp));
    if (kind == ValueKind::kTimestamp) return to.add(row, kind, slot);
    std::optional<std::int64_t> ns;
    if (is_text(kind)) {
      ns = time_->parse(fields_.text(slot.text), in.batch->wall_ns);
    } else if (kind == ValueKind::kInt) {
      ns = time_->parse(std::to_string(slot.integer), in.batch->wall_ns);
    }
    if (ns) return to.add(row, ValueKind::kTimestamp, Slot::of(*ns));
    report.error(to_text(ParseFault::kTime), in.line(row));
  }

  // The frame shows what was found.
  void show(const Frame& in, bool of_line, Frame& out) {
    const bool at_top = config_.target.empty();
    if (of_line) out.message_is_line = false;
    const Column& original = kept_.at(kept_.index_of(config_.field));
    std::erase_if(out.fields, [&](const FrameField& field) {
      return field.object.empty() && field.name == config_.field;
    });
    kept_field_ = {{}, original.name(), &kept_, &original, nullptr};
    if (original.present() > 0) out.put(kept_field_);
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      const Column& column = fields_.at(i);
      if (column.present() == 0) continue;
      const FrameField* under = in.fields.empty() ? nullptr : in.find(column.name(), config_.target);
      if (at_top && column.name() == config_.field) under = original.present() > 0 ? &kept_field_ : nullptr;
      const FrameField field{config_.target, column.name(), &fields_, &column, under};
      // What is new needs not be looked for.
      if (under == nullptr && !(at_top && column.name() == config_.field)) {
        out.fields.push_back(field);
      } else {
        out.put(field);
      }
    }
    if (times_.size() > 0 && times_.at(0).present() > 0) {
      time_under_ = {};
      const FrameField* under = out.find(kTimestamp);
      if (under != nullptr) {
        time_under_ = *under;
        under = &time_under_;
      }
      out.put({{}, kTimestamp, &times_, &times_.at(0), under});
    }
  }

  const ParseConfig& config_;
  const std::unique_ptr<Parser> parser_;
  const std::optional<TimeFormat> time_;
  Columns fields_;
  Columns kept_;          // the field that was parsed, where it is kept
  Columns times_;         // of timestamp_field
  std::string gathered_;  // the texts of the field that is parsed, where it is not the line
  std::vector<TextRef> texts_;
  FoundFields found_;
  FrameField kept_field_;
  FrameField time_under_;
};

class ParseTransform final : public Transform {
 public:
  ParseTransform(ParseConfig config, ParserKind kind, std::optional<TimeFormat> time)
      : config_(std::move(config)), kind_(std::move(kind)), time_(std::move(time)) {}

  std::vector<std::string> outputs() const override {
    if (config_.on_error == OnError::kRoute) return {"", "failed"};
    return {""};
  }

  WantedFields needs(const WantedFields& wanted) const override {
    WantedFields needs = wanted;
    needs.names.insert(config_.field);
    return needs;
  }

  FieldSchema schema(const FieldSchema& in, std::size_t output) const override {
    if (output == 1) return in;
    FieldSchema out = in;
    out.open |= kind_.schema.open;
    // An event that was not accepted has none of them, but their types are known where they are.
    for (const auto& [name, type] : kind_.schema.fields) out.fields[prefixed(name)] = type;
    if (!config_.target.empty()) out.objects.insert(config_.target);
    if (time_) out.fields[std::string(kTimestamp)] = ExprType::kTimestamp;
    return out;
  }

  std::vector<std::string> writes() const override {
    std::vector<std::string> names;
    for (const auto& [name, type] : kind_.schema.fields) names.push_back(prefixed(name));
    if (kind_.schema.open) names.push_back(prefixed("*"));
    if (time_) names.emplace_back(kTimestamp);
    return names;
  }

  std::unique_ptr<Stage> make_stage(const StageContext& context) const override {
    WantedFields wanted;
    wanted.all = context.wanted.all;
    const std::string prefix = config_.target.empty() ? std::string() : config_.target + '.';
    for (const std::string& name : context.wanted.names) {
      if (name == config_.target) wanted.all = true;  // the object as a whole
      if (name.starts_with(prefix)) wanted.names.insert(name.substr(prefix.size()));
    }
    if (time_) wanted.names.insert(config_.timestamp_field);
    return std::make_unique<ParseStage>(config_, kind_.make(wanted), time_);
  }

 private:
  std::string prefixed(std::string_view name) const {
    return config_.target.empty() ? std::string(name) : fmt::format("{}.{}", config_.target, name);
  }

  const ParseConfig config_;
  const ParserKind kind_;
  const std::optional<TimeFormat> time_;
};

}  // namespace

TransformBuilt build_parse(const ParseConfig& config, ParserKind kind) {
  const auto offset = parse_utc_offset(config.time_zone);
  if (!offset)
    return TransformError{"time_zone", SIZE_MAX,
                          fmt::format("\"{}\" is no offset from UTC", config.time_zone),
                          "UTC, or as in +01:00: names of places are not known"};
  std::optional<TimeFormat> time;
  if (!config.timestamp_field.empty()) {
    auto compiled = TimeFormat::compile(config.timestamp_format, *offset);
    if (!compiled) return TransformError{"timestamp_format", SIZE_MAX, compiled.error().message, {}};
    time = std::move(*compiled);
  }
  return std::make_unique<ParseTransform>(config, std::move(kind), std::move(time));
}

}  // namespace logflume
