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

}  // namespace

void JsonFields::begin(const Batch& batch, const BatchEvents& events) {
  using Instead = EventMember::Instead;
  members_.begin(batch, events);
  texts_.resize(members_.plans().size());
  overhead_bytes_ = 0;
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    Text& text = texts_[i];
    text.members.clear();
    text.suffix.clear();
    std::size_t bytes = 0;
    for (const EventMember& member : members_.plans()[i]) {
      Rendered rendered;
      rendered.key = json_string(member.name);
      rendered.key += ':';
      if (member.instead == Instead::kText) rendered.instead = json_string(member.text);
      if (member.instead == Instead::kTime) {
        rendered.instead = '"';
        append_timestamp(member.time_ns, rendered.instead);
        rendered.instead += '"';
      }
      if (member.field == nullptr && member.instead != Instead::kLine) {
        text.suffix.append(rendered.key).append(rendered.instead).append(1, ',');
        continue;
      }
      bytes += rendered.key.size() + rendered.instead.size() + member.object.size() + 8;
      text.members.push_back(std::move(rendered));
    }
    if (!text.suffix.empty()) text.suffix.back() = '}';
    overhead_bytes_ = std::max(overhead_bytes_, bytes + text.suffix.size() + 2);
  }
}

template <typename Out>
void JsonFields::write(std::size_t index, Out& out) const {
  const EventView::Place place = members_.place(index);
  const EventMembers::Plan& plan = members_.plans()[place.frame];
  const Text& text = texts_[place.frame];
  // Each member is led by a comma, but the first one.
  bool first = true;
  const auto lead = [&](std::string_view key) {
    if (!std::exchange(first, false)) out.raw(",");
    out.raw(key);
  };
  out.raw("{");
  std::string_view open;  // the object whose members these are
  for (std::size_t i = 0; i < text.members.size(); ++i) {
    const EventMember& member = plan[i];
    const FieldValueRef value = member.field == nullptr ? FieldValueRef{} : member.field->find(place.row);
    if (!open.empty() && member.object != open) {
      out.raw("}");
      open = {};
    }
    if (value.kind != ValueKind::kMissing) {
      if (!member.object.empty() && open.empty()) {
        if (!std::exchange(first, true)) out.raw(",");
        write_text(member.object, out);
        out.raw(":{");
        open = member.object;
      }
      lead(text.members[i].key);
      write_value(value, out);
    } else if (member.instead == EventMember::Instead::kLine) {
      lead(text.members[i].key);
      write_text(members_.line(index), out);
    } else if (!text.members[i].instead.empty()) {
      lead(text.members[i].key);
      out.raw(text.members[i].instead);
    }
  }
  if (!open.empty()) out.raw("}");
  if (text.suffix.empty()) return out.raw("}");
  if (!first) out.raw(",");
  out.raw(text.suffix);
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
