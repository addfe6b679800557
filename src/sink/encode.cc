#include "sink/encode.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

#include "sink/json_text.h"

namespace logflume {
namespace {

constexpr std::string_view kPrefix = R"({"message":")";
constexpr std::size_t kTimestampBytes = 30;

void put_digits(char* at, std::uint64_t value, int digits) {
  for (char* digit = at + digits; digit != at; value /= 10) *--digit = static_cast<char>('0' + value % 10);
}

std::array<char, kTimestampBytes> format_timestamp(std::int64_t wall_ns) {
  using namespace std::chrono;
  const sys_time<nanoseconds> time{nanoseconds(wall_ns)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss<nanoseconds> clock(time - day);
  std::array<char, kTimestampBytes> text;
  std::memcpy(text.data(), "0000-00-00T00:00:00.000000000Z", kTimestampBytes);
  const auto put = [&](std::size_t at, auto value, int digits) {
    put_digits(text.data() + at, static_cast<std::uint64_t>(value), digits);
  };
  put(0, static_cast<int>(date.year()), 4);
  put(5, static_cast<unsigned>(date.month()), 2);
  put(8, static_cast<unsigned>(date.day()), 2);
  put(11, clock.hours().count(), 2);
  put(14, clock.minutes().count(), 2);
  put(17, clock.seconds().count(), 2);
  put(20, clock.subseconds().count(), 9);
  return text;
}

// Copies `text` without the CR before each newline. `cut`: the last line goes on behind `text`.
void append_without_cr(std::string_view text, bool cut, std::string& out) {
  while (!text.empty()) {
    const std::size_t cr = text.find('\r');
    if (cr == std::string_view::npos) break;
    const bool at_end = cr + 1 == text.size();
    const bool drop = at_end ? !cut : text[cr + 1] == '\n';
    out.append(text, 0, drop ? cr : cr + 1);
    text.remove_prefix(cr + 1);
  }
  out.append(text);
}

}  // namespace

void append_timestamp(std::int64_t wall_ns, std::string& out) {
  const auto text = format_timestamp(wall_ns);
  out.append(text.data(), text.size());
}

JsonEncoder::JsonEncoder(std::string host, std::map<std::string, std::string> labels)
    : host_(std::move(host)), labels_(std::move(labels)), fields_(host_, labels_) {
  labels_.erase("message");  // an event's bytes are never replaced
}

void JsonEncoder::append_field(std::string_view name, std::string_view value) {
  suffix_ += ",\"";
  append_json_escaped(name, suffix_);
  suffix_ += "\":\"";
  append_json_escaped(value, suffix_);
  suffix_ += '"';
}

void JsonEncoder::render_origin(const Origin& origin) {
  suffix_ = '"';
  if (!labels_.contains("file")) append_field("file", origin.path);
  if (!labels_.contains("source")) append_field("source", origin.source);
  if (!labels_.contains("host")) append_field("host", host_);
  timestamp_at_ = 0;
  if (!labels_.contains("timestamp")) {
    append_field("timestamp", "");
    timestamp_at_ = suffix_.size() - 1;
    suffix_.insert(timestamp_at_, kTimestampBytes, '0');
  }
  for (const auto& [name, value] : labels_) append_field(name, value);
  suffix_ += '}';
}

void JsonEncoder::begin(const Batch& batch, const BatchEvents& events) {
  lines_ = events.lines();
  if (lines_ == nullptr) return fields_.begin(batch, events);
  if (origin_ != batch.origin || suffix_.empty()) {
    render_origin(*batch.origin);
    origin_ = batch.origin;
  }
  if (timestamp_at_ != 0) {
    const auto text = format_timestamp(batch.wall_ns);
    std::memcpy(suffix_.data() + timestamp_at_, text.data(), text.size());
  }
}

std::size_t JsonEncoder::overhead_bytes() const {
  return lines_ == nullptr ? fields_.overhead_bytes() : kPrefix.size() + suffix_.size();
}

std::size_t JsonEncoder::encoded_bytes(std::size_t index) const {
  if (lines_ == nullptr) return fields_.encoded_bytes(index);
  return overhead_bytes() + json_escaped_bytes((*lines_)[index]);
}

void JsonEncoder::append(std::size_t index, std::string& out) const {
  if (lines_ == nullptr) return fields_.append(index, out);
  out.append(kPrefix);
  append_json_escaped((*lines_)[index], out);
  out.append(suffix_);
}

BatchEncoder::BatchEncoder(const SinkConfig& config, const std::string& host)
    : encoder_(make_event_encoder(config, host)), end_(is_self_delimiting(config.encoding) ? "" : "\n") {}

void BatchEncoder::begin(const Batch& batch) {
  events_.build(batch);
  verbatim_ = is_raw() && !batch.strip_cr;
  if (encoder_) encoder_->begin(batch, events_);
}

void BatchEncoder::append(const Batch& batch, std::string& out) {
  if (is_raw() && !batch.view && !(batch.strip_cr && !batch.event_ends.empty())) {
    if (batch.strip_cr) {
      append_without_cr(batch.text(), batch.truncated, out);
    } else {
      out.append(batch.text());
    }
    if (batch.unterminated) out += '\n';
    return;
  }
  begin(batch);
  // What most batches need, at once; quotes and the like beyond it grow the string as usual.
  const std::size_t expected = out.size() + expected_bytes(0);
  if (out.capacity() < expected) out.reserve(std::max(expected, 2 * out.capacity()));
  for (std::size_t i = 0; i < events();) i += append_some(i, SIZE_MAX, out);
}

std::size_t BatchEncoder::expected_bytes(std::size_t first) const {
  const std::size_t each = (encoder_ ? encoder_->overhead_bytes() : 0) + 1;
  return events_.bytes_from(first) + (events() - first) * each + 64;
}

std::size_t BatchEncoder::event_bytes(std::size_t index) const {
  return (encoder_ ? encoder_->encoded_bytes(index) : events_[index].size()) + end_.size();
}

std::size_t BatchEncoder::append_some(std::size_t first, std::size_t run_bytes, std::string& out) const {
  const TextRun run = run_from(first);
  if (run.text.size() >= run_bytes) return 0;
  if (run.events == 0) {
    append_event(first, out);
    return 1;
  }
  out.append(run.text);
  return run.events;
}

std::size_t BatchEncoder::append_event(std::size_t index, std::string& out) const {
  const std::size_t before = out.size();
  if (encoder_) {
    encoder_->append(index, out);
  } else {
    out.append(events_[index]);
  }
  if (!end_.empty()) out += '\n';
  return out.size() - before;
}

}  // namespace logflume
