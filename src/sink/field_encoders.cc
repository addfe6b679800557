#include "sink/field_encoders.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "base/civil_time.h"
#include "sink/event_members.h"
#include "sink/json_text.h"

namespace logflume {
namespace {

// Encodes, and finds out how long that is by doing it: what is that large is rare.
class FieldEncoder : public EventEncoder {
 public:
  FieldEncoder(const std::string& host, const EventLabels& labels) : members_(host, labels) {}
  void begin(const Batch& batch, const BatchEvents& events) override { members_.begin(batch, events); }
  std::size_t encoded_bytes(std::size_t index) const override {
    std::string out;
    append(index, out);
    return out.size();
  }
  std::size_t overhead_bytes() const override {
    std::size_t most = 0;
    for (const EventMembers::Plan& plan : members_.plans()) {
      std::size_t bytes = 8;
      for (const EventMember& member : plan) bytes += member.name.size() + member.text.size() + 12;
      most = std::max(most, bytes);
    }
    return most;
  }

 protected:
  // A member's value as text.
  void append_text(std::size_t index, const EventMember& member, const FieldValueRef& value,
                   std::string& out) const {
    switch (value.kind) {
      case ValueKind::kMissing:
        if (member.instead == EventMember::Instead::kLine) out += members_.line(index);
        if (member.instead == EventMember::Instead::kText) out += member.text;
        if (member.instead == EventMember::Instead::kTime) append_timestamp(member.time_ns, out);
        return;
      case ValueKind::kNull:
        return;
      case ValueKind::kBool:
        out += value.slot.integer != 0 ? "true" : "false";
        return;
      case ValueKind::kInt:
        fmt::format_to(std::back_inserter(out), "{}", value.slot.integer);
        return;
      case ValueKind::kDouble:
        fmt::format_to(std::back_inserter(out), "{}", value.slot.real);
        return;
      case ValueKind::kTimestamp:
        return append_timestamp(value.slot.integer, out);
      case ValueKind::kDuration:
        out += format_seconds(value.slot.integer);
        return;
      case ValueKind::kString:
      case ValueKind::kNumber:
      case ValueKind::kJson:
        out += value.text();
        return;
    }
  }

  EventMembers members_;
  mutable std::string text_;  // of a value
};

// -- logfmt -----------------------------------------------------------------------------------------------

void append_logfmt_value(std::string_view text, std::string& out) {
  const auto needs_quotes = [](unsigned char c) {
    return c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f;
  };
  if (!text.empty() && std::ranges::none_of(text, needs_quotes)) {
    out += text;
    return;
  }
  out += '"';
  append_json_escaped(text, out);
  out += '"';
}

void append_logfmt_key(const EventMember& member, std::string& out) {
  const auto part = [&](std::string_view text) {
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      out += byte <= ' ' || c == '"' || c == '=' || byte == 0x7f ? '_' : c;
    }
  };
  part(member.object);
  if (!member.object.empty()) out += '.';
  part(member.name);
}

class LogfmtEncoder : public FieldEncoder {
 public:
  using FieldEncoder::FieldEncoder;
  void append(std::size_t index, std::string& out) const override { append_pairs(index, false, out); }

 private:
  // What no parser has accepted stands there already.
  bool is_line(std::size_t index, const EventMember& member, const FieldValueRef& value) const {
    return member.name == kMessageField && member.object.empty() && value.kind == ValueKind::kString &&
           value.text() == members_.line(index);
  }

 protected:
  void append_pairs(std::size_t index, bool only_fields, std::string& out) const {
    bool first = !only_fields;
    members_.visit(index, [&](const EventMember& member, const FieldValueRef& value) {
      if (only_fields && (value.kind == ValueKind::kMissing || is_line(index, member, value))) return;
      if (!std::exchange(first, false)) out += ' ';
      append_logfmt_key(member, out);
      out += '=';
      text_.clear();
      append_text(index, member, value, text_);
      if (value.kind == ValueKind::kNull) {
        out += "null";
      } else {
        append_logfmt_value(text_, out);
      }
    });
  }
};

class LineEncoder final : public LogfmtEncoder {
 public:
  using LogfmtEncoder::LogfmtEncoder;
  void append(std::size_t index, std::string& out) const override {
    out += members_.line(index);
    append_pairs(index, true, out);
  }
};

// -- CSV --------------------------------------------------------------------------------------------------

class CsvEncoder final : public FieldEncoder {
 public:
  CsvEncoder(const std::string& host, const EventLabels& labels, const std::vector<std::string>& columns)
      : FieldEncoder(host, labels), columns_(columns), cells_(columns.size()) {}

  void append(std::size_t index, std::string& out) const override {
    for (std::string& cell : cells_) cell.clear();
    members_.visit(index, [&](const EventMember& member, const FieldValueRef& value) {
      for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (is(columns_[i], member)) append_text(index, member, value, cells_[i]);
      }
    });
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      if (i > 0) out += ',';
      append_cell(cells_[i], out);
    }
  }

 private:
  static bool is(std::string_view column, const EventMember& member) {
    if (member.object.empty()) return column == member.name;
    return column.size() == member.object.size() + 1 + member.name.size() &&
           column.starts_with(member.object) && column[member.object.size()] == '.' &&
           column.ends_with(member.name);
  }
  static void append_cell(std::string_view cell, std::string& out) {
    if (cell.find_first_of(",\"\r\n") == std::string_view::npos) {
      out += cell;
      return;
    }
    out += '"';
    for (const char c : cell) out.append(c == '"' ? 2 : 1, c);
    out += '"';
  }

  const std::vector<std::string> columns_;
  mutable std::vector<std::string> cells_;
};

// -- MessagePack ------------------------------------------------------------------------------------------

void put_big_endian(std::uint64_t value, int bytes, std::string& out) {
  for (int i = bytes; i-- > 0;) out += static_cast<char>(value >> (8 * i));
}

void put_string(std::string_view text, std::string& out) {
  const std::size_t size = text.size();
  if (size < 32) {
    out += static_cast<char>(0xa0 | size);
  } else if (size < 256) {
    out += '\xd9';
    put_big_endian(size, 1, out);
  } else if (size < 65'536) {
    out += '\xda';
    put_big_endian(size, 2, out);
  } else {
    out += '\xdb';
    put_big_endian(size, 4, out);
  }
  out += text;
}

void put_integer(std::int64_t value, std::string& out) {
  if (value >= -32 && value < 128) {
    out += static_cast<char>(value);
  } else {
    out += '\xd3';
    put_big_endian(static_cast<std::uint64_t>(value), 8, out);
  }
}

void put_double(double value, std::string& out) {
  out += '\xcb';
  put_big_endian(std::bit_cast<std::uint64_t>(value), 8, out);
}

// timestamp 96: nanoseconds, then seconds.
void put_time(std::int64_t ns, std::string& out) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  std::int64_t seconds = ns / kSecond, rest = ns % kSecond;
  if (rest < 0) {
    rest += kSecond;
    --seconds;
  }
  out += "\xc7\x0c\xff";
  put_big_endian(static_cast<std::uint64_t>(rest), 4, out);
  put_big_endian(static_cast<std::uint64_t>(seconds), 8, out);
}

// As a number where nothing is lost.
void put_number(std::string_view text, std::string& out) {
  std::int64_t integer = 0;
  const char* const end = text.data() + text.size();
  if (const auto read = std::from_chars(text.data(), end, integer); read.ec == std::errc() && read.ptr == end)
    return put_integer(integer, out);
  double real = 0;
  const auto read = std::from_chars(text.data(), end, real);
  const bool whole = text.find_first_of(".eE") == std::string_view::npos;
  if (!whole && read.ec == std::errc() && read.ptr == end) return put_double(real, out);
  put_string(text, out);
}

class MsgpackEncoder final : public FieldEncoder {
 public:
  using FieldEncoder::FieldEncoder;

  void append(std::size_t index, std::string& out) const override {
    // The members of one object stand together.
    std::size_t count = 0;
    std::string_view object;
    std::vector<std::size_t> sizes;  // of each object
    members_.visit(index, [&](const EventMember& member, const FieldValueRef& /*value*/) {
      if (member.object.empty()) {
        ++count;
      } else if (member.object == object && !sizes.empty()) {
        ++sizes.back();
      } else {
        sizes.push_back(1);
        ++count;
      }
      object = member.object;
    });
    put_map(count, out);
    object = {};
    std::size_t next = 0;
    members_.visit(index, [&](const EventMember& member, const FieldValueRef& value) {
      if (!member.object.empty() && member.object != object) {
        put_string(member.object, out);
        put_map(sizes[next++], out);
      }
      object = member.object;
      put_string(member.name, out);
      put_value(index, member, value, out);
    });
  }

 private:
  static void put_map(std::size_t size, std::string& out) {
    if (size < 16) {
      out += static_cast<char>(0x80 | size);
    } else {
      out += '\xdf';
      put_big_endian(size, 4, out);
    }
  }
  void put_value(std::size_t index, const EventMember& member, const FieldValueRef& value,
                 std::string& out) const {
    switch (value.kind) {
      case ValueKind::kMissing:
        if (member.instead == EventMember::Instead::kTime) return put_time(member.time_ns, out);
        return put_string(member.instead == EventMember::Instead::kLine ? members_.line(index) : member.text,
                          out);
      case ValueKind::kNull:
        out += '\xc0';
        return;
      case ValueKind::kBool:
        out += value.slot.integer != 0 ? '\xc3' : '\xc2';
        return;
      case ValueKind::kInt:
        return put_integer(value.slot.integer, out);
      case ValueKind::kDouble:
        return put_double(value.slot.real, out);
      case ValueKind::kTimestamp:
        return put_time(value.slot.integer, out);
      case ValueKind::kDuration:
        return put_string(format_seconds(value.slot.integer), out);
      case ValueKind::kNumber:
        return put_number(value.text(), out);
      case ValueKind::kString:
      case ValueKind::kJson:
        return put_string(value.text(), out);
    }
  }
};

}  // namespace

std::unique_ptr<EventEncoder> make_logfmt_encoder(const std::string& host, const EventLabels& labels) {
  return std::make_unique<LogfmtEncoder>(host, labels);
}
std::unique_ptr<EventEncoder> make_csv_encoder(const std::string& host, const EventLabels& labels,
                                               const std::vector<std::string>& columns) {
  return std::make_unique<CsvEncoder>(host, labels, columns);
}
std::unique_ptr<EventEncoder> make_msgpack_encoder(const std::string& host, const EventLabels& labels) {
  return std::make_unique<MsgpackEncoder>(host, labels);
}
std::unique_ptr<EventEncoder> make_line_encoder(const std::string& host, const EventLabels& labels) {
  return std::make_unique<LineEncoder>(host, labels);
}

}  // namespace logflume
