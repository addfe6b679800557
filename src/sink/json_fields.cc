#include "sink/json_fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/civil_time.h"
#include "event/batch.h"
#include "sink/json_text.h"

namespace logflume {
namespace {

struct Appended {
  std::string& text;
  void raw(std::string_view piece) { text.append(piece); }
  void escaped(std::string_view piece) { append_json_escaped(piece, text); }
};

struct Counted {
  std::size_t bytes = 0;
  char last = 0;
  void raw(std::string_view piece) { bytes += piece.size(); }
  void escaped(std::string_view piece) { bytes += json_escaped_bytes(piece); }
};

template <typename Out>
void write_text(std::string_view text, Out& out) {
  out.raw("\"");
  out.escaped(text);
  out.raw("\"");
}

template <typename Out>
void write_value(const FieldValueRef& value, Out& out) {
  char digits[32];
  const auto number = [&](auto figure) {
    const auto end = std::to_chars(digits, digits + sizeof digits, figure).ptr;
    out.raw({digits, static_cast<std::size_t>(end - digits)});
  };
  switch (value.kind) {
    case ValueKind::kMissing:
    case ValueKind::kNull:
      return out.raw("null");
    case ValueKind::kBool:
      return out.raw(value.slot.integer != 0 ? "true" : "false");
    case ValueKind::kInt:
      return number(value.slot.integer);
    case ValueKind::kDouble:
      return std::isfinite(value.slot.real) ? number(value.slot.real) : out.raw("null");
    case ValueKind::kTimestamp: {
      std::string text;
      append_timestamp(value.slot.integer, text);
      return write_text(text, out);
    }
    case ValueKind::kDuration:
      return write_text(format_seconds(value.slot.integer), out);
    case ValueKind::kString:
      return write_text(value.text(), out);
    case ValueKind::kNumber:
    case ValueKind::kJson:
      return out.raw(value.text());
  }
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  append_json_escaped(text, out);
  out += '"';
  return out;
}

// What the event says of itself, or a label.
struct Constant {
  std::string_view name;
  std::string value;  // as JSON
};

std::vector<Constant> constants(const Frame& frame, const Batch& batch, std::string_view host,
                                const JsonFields::Labels& labels) {
  std::vector<Constant> all;
  const auto base = [&](BaseField field, std::string value) {
    const std::string_view name = kBaseFieldNames[static_cast<std::size_t>(field)];
    if (!frame.hides(field) && !labels.contains(std::string(name))) all.push_back({name, std::move(value)});
  };
  std::string time = "\"";
  append_timestamp(batch.wall_ns, time);
  time += '"';
  base(BaseField::kFile, json_string(batch.origin->path));
  base(BaseField::kSource, json_string(batch.origin->source));
  base(BaseField::kHost, json_string(host));
  base(BaseField::kTimestamp, std::move(time));
  for (const auto& [name, value] : labels) all.push_back({name, json_string(value)});
  return all;
}

}  // namespace

void JsonFields::begin(const EventView& view, const Batch& batch, std::string_view host,
                       const Labels& labels) {
  view_ = &view;
  plans_.resize(view.frames().size());
  overhead_bytes_ = 0;
  for (std::size_t i = 0; i < plans_.size(); ++i) {
    plan(*view.frames()[i], batch, host, labels, plans_[i]);
    std::size_t bytes = plans_[i].suffix.size() + 16;
    for (const Member& member : plans_[i].members) bytes += member.key.size() + 8;
    overhead_bytes_ = std::max(overhead_bytes_, bytes);
  }
}

void JsonFields::plan(const Frame& frame, const Batch& batch, std::string_view host, const Labels& labels,
                      Plan& plan) {
  plan.members.clear();
  plan.suffix.clear();
  std::vector<Constant> all = constants(frame, batch, host, labels);
  plan.has_message = frame.message_is_line;
  std::vector<const FrameField*> fields;
  for (const FrameField& field : frame.fields) fields.push_back(&field);
  std::stable_sort(fields.begin(), fields.end(),
                   [](const FrameField* a, const FrameField* b) { return a->object < b->object; });
  std::string_view object;
  for (const FrameField* field : fields) {
    Member& member = plan.members.emplace_back();
    member.field = field;
    if (field->object != object) {
      member.opens = true;
      object = field->object;
    }
    member.key = json_string(field->name) + ":";
    if (!object.empty()) continue;
    if (field->name == kMessageField) {
      member.line_instead = std::exchange(plan.has_message, false);
    } else if (const auto found = std::ranges::find(all, field->name, &Constant::name); found != all.end()) {
      member.instead = std::move(found->value);
      all.erase(found);
    }
  }
  for (const Constant& constant : all) {
    plan.suffix += json_string(constant.name);
    plan.suffix += ':';
    plan.suffix += constant.value;
    plan.suffix += ',';
  }
  if (!plan.suffix.empty()) plan.suffix.back() = '}';
}

template <typename Out>
void JsonFields::write(std::size_t index, Out& out) const {
  const EventView::Place place = (*view_)[index];
  const Plan& plan = plans_[place.frame];
  // Each member is led by a comma, but the first one.
  bool first = true;
  const auto lead = [&](std::string_view key) {
    if (!std::exchange(first, false)) out.raw(",");
    out.raw(key);
  };
  out.raw("{");
  if (plan.has_message) {
    lead("\"message\":");
    write_text(view_->line(index), out);
  }
  std::string_view open;  // the object whose members these are
  for (const Member& member : plan.members) {
    const FieldValueRef value = member.field->find(place.row);
    const std::string_view object = member.field->object;
    if (!open.empty() && object != open) {
      out.raw("}");
      open = {};
    }
    if (value.kind != ValueKind::kMissing) {
      if (!object.empty() && open.empty()) {
        if (!std::exchange(first, true)) out.raw(",");
        write_text(object, out);
        out.raw(":{");
        open = object;
      }
      lead(member.key);
      write_value(value, out);
    } else if (member.line_instead) {
      lead(member.key);
      write_text(view_->line(index), out);
    } else if (!member.instead.empty()) {
      lead(member.key);
      out.raw(member.instead);
    }
  }
  if (!open.empty()) out.raw("}");
  if (plan.suffix.empty()) return out.raw("}");
  if (!first) out.raw(",");
  out.raw(plan.suffix);
}

void JsonFields::append(std::size_t index, std::string& out) const {
  Appended appended{out};
  write(index, appended);
}

std::size_t JsonFields::encoded_bytes(std::size_t index) const {
  Counted counted;
  write(index, counted);
  return counted.bytes;
}

}  // namespace logflume
