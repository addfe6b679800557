#include "transform/field_reader.h"

#include <algorithm>

namespace logflume {

const FrameField* find_field(const Frame& frame, std::string_view name) {
  if (const FrameField* const field = frame.find(name); field != nullptr) return field;
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos) return nullptr;
  return frame.find(name.substr(dot + 1), name.substr(0, dot));
}

FieldReader::FieldReader(std::span<const std::string> names, std::string host)
    : names_(names), host_(std::move(host)) {}

void FieldReader::begin(const Frame& frame, Evaluation& evaluation) {
  const Batch& batch = *frame.batch;
  base_ = {Value::of(std::string_view(batch.origin->path)), Value::of(std::string_view(batch.origin->source)),
           Value::of(std::string_view(host_)), Value::make(Value::Tag::kTimestamp, batch.wall_ns)};
  views_.clear();
  for (const std::string& name : names_) {
    FieldView& view = views_.emplace_back();
    if (const FrameField* const field = find_field(frame, name); field != nullptr) {
      view = {.column = field->column, .columns = field->columns, .under = field->under};
    } else if (name == kMessageField && frame.message_is_line) {
      view = line_view(frame);
    }
    const auto base = std::ranges::find(kBaseFieldNames, name);
    if (base == std::end(kBaseFieldNames)) continue;
    const auto index = static_cast<std::size_t>(base - std::begin(kBaseFieldNames));
    if (!frame.hides(static_cast<BaseField>(index))) view.constant = &base_[index];
  }
  evaluation.begin(views_, batch.wall_ns);
}

const FieldView FieldReader::line_view(const Frame& frame) {
  lines_.begin(frame.batch->text(), frame.lines->size());
  Column& column = lines_.at(lines_.index_of(kMessageField));
  if (frame.line_column == nullptr) {
    for (std::size_t row = 0; row < frame.lines->size(); ++row)
      column.add(row, ValueKind::kString, Slot::of(lines_.ref((*frame.lines)[row])));
  } else {
    for (const std::uint32_t row : frame.rows) {
      TextRef ref;
      if (lines_.copy(frame.line(row), ref)) column.add(row, ValueKind::kString, Slot::of(ref));
    }
  }
  return {.column = &column, .columns = &lines_};
}

}  // namespace logflume
